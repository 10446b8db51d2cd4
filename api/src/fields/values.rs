//! Fields that passed their checks.

use std::collections::BTreeMap;
use std::fmt;

use model::Timestamp;
use uuid::Uuid;

/// CPU and memory as they were sent; what was not sent is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourcesInput {
    /// Thousandths of a core at most.
    pub cpu_limit: Option<u64>,
    /// Bytes at most.
    pub memory_limit: Option<u64>,
    /// Thousandths of a core kept free.
    pub cpu_reservation: Option<u64>,
    /// Bytes kept free.
    pub memory_reservation: Option<u64>,
}

/// A value that passed its checks.
#[derive(Clone, PartialEq, Eq)]
pub enum Cleaned {
    /// For [`super::Shape::Text`] and [`super::Shape::Choice`].
    Text(String),
    /// For [`super::Shape::Integer`].
    Integer(i64),
    /// For [`super::Shape::Boolean`].
    Boolean(bool),
    /// For [`super::Shape::Reference`].
    Reference(Uuid),
    /// For [`super::Shape::Time`].
    Time(Timestamp),
    /// For [`super::Shape::Texts`].
    Texts(Vec<String>),
    /// For [`super::Shape::Environment`].
    Environment(BTreeMap<String, String>),
    /// For [`super::Shape::Resources`].
    Resources(ResourcesInput),
    /// For [`super::Shape::Object`].
    Object(Values),
    /// For [`super::Shape::Objects`].
    Objects(Vec<Values>),
    /// `null`, where that is allowed.
    Null,
}

/// The fields of one request that passed their checks. Each is taken once, by its name and type; what was not sent, or
/// is of another type, is `None`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(Vec<(&'static str, Cleaned)>);

/// Names only: a value may be a secret.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

macro_rules! take {
    ($($(#[$doc:meta])* $name:ident($variant:ident) -> $ty:ty),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, field: &str) -> Option<$ty> {
            match self.take(field)? {
                Cleaned::$variant(it) => Some(it),
                _ => None,
            }
        }
    )*};
}

impl Values {
    pub(super) fn put(&mut self, field: &'static str, value: Cleaned) {
        self.0.push((field, value));
    }

    fn take(&mut self, field: &str) -> Option<Cleaned> {
        let at = self.0.iter().position(|(name, _)| *name == field)?;
        Some(self.0.swap_remove(at).1)
    }

    take! {
        /// Takes a text or a choice.
        text(Text) -> String,
        /// Takes a boolean.
        boolean(Boolean) -> bool,
        /// Takes a reference that cannot be null.
        reference(Reference) -> Uuid,
        /// Takes a moment; `null` is `None`.
        time(Time) -> Timestamp,
        /// Takes a list of texts.
        texts(Texts) -> Vec<String>,
        /// Takes environment variables.
        environment(Environment) -> BTreeMap<String, String>,
        /// Takes limits and reservations.
        resources(Resources) -> ResourcesInput,
        /// Takes a list of objects.
        objects(Objects) -> Vec<Values>,
    }

    /// Takes an integer as the type that its bounds make room for.
    pub fn integer<T: TryFrom<i64>>(&mut self, field: &str) -> Option<T> {
        match self.take(field)? {
            Cleaned::Integer(it) => T::try_from(it).ok(),
            _ => None,
        }
    }

    /// Takes a reference that may be null: `Some(None)` if `null` was sent.
    pub fn nullable_reference(&mut self, field: &str) -> Option<Option<Uuid>> {
        match self.take(field)? {
            Cleaned::Reference(it) => Some(Some(it)),
            Cleaned::Null => Some(None),
            _ => None,
        }
    }

    /// Takes an object; `Some(None)` if `null` was sent.
    pub fn nullable_object(&mut self, field: &str) -> Option<Option<Values>> {
        match self.take(field)? {
            Cleaned::Object(it) => Some(Some(it)),
            Cleaned::Null => Some(None),
            _ => None,
        }
    }

    /// Whether it was sent and is not null.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0
            .iter()
            .any(|(name, value)| *name == field && *value != Cleaned::Null)
    }

    /// Looks at a text without taking it.
    #[must_use]
    pub fn peek_text(&self, field: &str) -> Option<&str> {
        self.0.iter().find_map(|(name, value)| match value {
            Cleaned::Text(text) if *name == field => Some(text.as_str()),
            _ => None,
        })
    }

    /// Looks at a reference without taking it.
    #[must_use]
    pub fn peek_reference(&self, field: &str) -> Option<Uuid> {
        self.0.iter().find_map(|(name, value)| match value {
            Cleaned::Reference(id) if *name == field => Some(*id),
            _ => None,
        })
    }

    /// Looks at a moment without taking it.
    #[must_use]
    pub fn peek_time(&self, field: &str) -> Option<Timestamp> {
        self.0.iter().find_map(|(name, value)| match value {
            Cleaned::Time(at) if *name == field => Some(*at),
            _ => None,
        })
    }
}
