//! What answers are made of: JSON whose keys keep their order.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer.
    Int(i128),
    /// A string.
    Text(String),
    /// `[...]`
    List(Vec<Out>),
    /// `{...}`, written in this order.
    Object(Vec<(Cow<'static, str>, Out)>),
}

impl Out {
    /// An object from its members in order.
    pub fn object<const N: usize>(members: [(&'static str, Out); N]) -> Self {
        Self::Object(
            members
                .into_iter()
                .map(|(key, value)| (Cow::Borrowed(key), value))
                .collect(),
        )
    }

    /// `null` or what `value` becomes.
    pub fn or_null<T: Into<Out>>(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }

    /// How `?ordering=` sorts: false before true, numbers by size, texts by code point, null after everything.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a
                .iter()
                .zip(b)
                .map(|(a, b)| a.order(b))
                .find(|o| o.is_ne())
                .unwrap_or(a.len().cmp(&b.len())),
            (Self::Object(a), Self::Object(b)) => a
                .iter()
                .zip(b)
                .map(|((ka, a), (kb, b))| ka.cmp(kb).then_with(|| a.order(b)))
                .find(|o| o.is_ne())
                .unwrap_or(a.len().cmp(&b.len())),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Int(_) => 1,
            Self::Text(_) => 2,
            Self::List(_) => 3,
            Self::Object(_) => 4,
            Self::Null => 5,
        }
    }
}

impl Serialize for Out {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(it) => serializer.serialize_bool(*it),
            Self::Int(it) => serializer.serialize_i128(*it),
            Self::Text(it) => serializer.serialize_str(it),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

macro_rules! from_integers {
    ($($ty:ty),*) => {$(
        impl From<$ty> for Out {
            fn from(it: $ty) -> Self {
                Self::Int(i128::from(it))
            }
        }
    )*};
}
from_integers!(u8, u16, u32, u64, i64);

impl From<bool> for Out {
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<&str> for Out {
    fn from(it: &str) -> Self {
        Self::Text(it.to_owned())
    }
}

impl From<String> for Out {
    fn from(it: String) -> Self {
        Self::Text(it)
    }
}

impl From<&String> for Out {
    fn from(it: &String) -> Self {
        Self::Text(it.clone())
    }
}

impl From<uuid::Uuid> for Out {
    fn from(it: uuid::Uuid) -> Self {
        Self::Text(it.to_string())
    }
}

impl From<model::Timestamp> for Out {
    fn from(it: model::Timestamp) -> Self {
        Self::Text(crate::scalars::time_text(it))
    }
}

impl<T: Into<Out>> FromIterator<T> for Out {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        Self::List(iter.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_text_stays_utf8() {
        let out = Out::object([("z", Out::from("é\u{1f600}")), ("a", Out::from(5_u8)), ("n", Out::Null)]);
        assert_eq!(
            serde_json::to_string(&out).unwrap(),
            "{\"z\":\"é\u{1f600}\",\"a\":5,\"n\":null}"
        );
    }

    #[test]
    fn null_sorts_last() {
        let mut values = [Out::Null, Out::from("b"), Out::from("a")];
        values.sort_by(Out::order);
        assert_eq!(values, [Out::from("a"), Out::from("b"), Out::Null]);
    }
}
