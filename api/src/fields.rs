//! What a resource's fields are: one table a resource says what is shown, what may be sent, and in which order.
//!
//! The tables drive the answers ([`Field::get`]), the checking of request bodies ([`check`]) and `?ordering=`, and hold
//! all that a schema needs.

mod check;
mod container;
mod object;
mod scalar;
mod values;

pub use check::{Checked, Lookup, Mode, check};
pub use values::{Cleaned, ResourcesInput, Values};

use model::Kind;

use crate::output::Out;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The id of the object itself.
    Id,
    /// A moment.
    Time,
    /// A string of at most `max` code points.
    Text {
        /// Code points at most, after trimming.
        max: usize,
        /// Whether it may be empty.
        blank: bool,
    },
    /// An integer within these bounds.
    Integer {
        /// At least.
        min: i64,
        /// At most.
        max: i64,
    },
    /// A boolean.
    Boolean,
    /// The id of another object.
    Reference(Kind),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of strings, each kept as it was sent.
    Texts,
    /// Environment variables: names to strings, each kept as it was sent.
    Environment,
    /// Limits and reservations of CPU and memory.
    Resources,
    /// An object with these members, sent as a whole.
    Object(&'static [FieldSpec]),
    /// A list of such objects.
    Objects(&'static [FieldSpec]),
    /// An object or list with a shape of its own; the text is its JSON schema in short.
    Other(&'static str),
}

/// Whether a field may be sent, and must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Ignored on input.
    ReadOnly,
    /// Must be sent on POST.
    Required,
    /// May be left out on POST.
    Optional,
}

/// What is known of a field without an object at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be sent, and must be.
    pub need: Need,
    /// Whether `null` means something.
    pub nullable: bool,
    /// Whether `null` may be shown in its place although it cannot be sent: it is there, but not for this answer.
    pub hidden: bool,
    /// What it means, for the schema.
    pub doc: &'static str,
}

impl FieldSpec {
    /// A member of an object that may be left out.
    pub const fn member(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self {
            name,
            shape,
            need: Need::Optional,
            nullable: false,
            hidden: false,
            doc,
        }
    }

    /// Must be sent.
    pub const fn required(mut self) -> Self {
        self.need = Need::Required;
        self
    }

    /// May be null.
    pub const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }
}

/// A field and how it is read from what is shown.
pub struct Field<V> {
    /// What is known without an object.
    pub spec: FieldSpec,
    /// How it is read; `None` for a field that is only ever sent.
    pub get: Option<fn(&V) -> Out>,
}

impl<V> Clone for Field<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Field<V> {}

impl<V> Field<V> {
    const fn new(name: &'static str, shape: Shape, need: Need, doc: &'static str, get: Option<fn(&V) -> Out>) -> Self {
        Self {
            spec: FieldSpec {
                name,
                shape,
                need,
                nullable: false,
                hidden: false,
                doc,
            },
            get,
        }
    }

    /// Shown, ignored on input.
    pub const fn read_only(name: &'static str, shape: Shape, doc: &'static str, get: fn(&V) -> Out) -> Self {
        Self::new(name, shape, Need::ReadOnly, doc, Some(get))
    }

    /// Must be sent on POST.
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str, get: fn(&V) -> Out) -> Self {
        Self::new(name, shape, Need::Required, doc, Some(get))
    }

    /// May be left out on POST.
    pub const fn optional(name: &'static str, shape: Shape, doc: &'static str, get: fn(&V) -> Out) -> Self {
        Self::new(name, shape, Need::Optional, doc, Some(get))
    }

    /// May be sent, is never shown.
    pub const fn write_only(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self::new(name, shape, Need::Optional, doc, None)
    }

    /// Shown, may be null, ignored on input.
    pub const fn read_only_or_null(name: &'static str, shape: Shape, doc: &'static str, get: fn(&V) -> Out) -> Self {
        Self::read_only(name, shape, doc, get).or_null()
    }

    /// May be left out on POST, and may be null.
    pub const fn optional_or_null(name: &'static str, shape: Shape, doc: &'static str, get: fn(&V) -> Out) -> Self {
        Self::optional(name, shape, doc, get).or_null()
    }

    /// Shown as null where the value itself is not for the answer.
    pub const fn or_hidden(mut self) -> Self {
        self.spec.hidden = true;
        self
    }

    const fn or_null(mut self) -> Self {
        self.spec.nullable = true;
        self
    }
}

/// All that is shown of an object, in the table's order.
pub fn show<V>(fields: &[Field<V>], view: &V) -> Out {
    let members = fields
        .iter()
        .filter_map(|field| Some((field.spec.name.into(), field.get?(view))));
    Out::Object(members.collect())
}
