//! A strict JSON reader that keeps what the contract asks about and ordinary readers throw away: how a number was
//! written, and which surrogate of a string had no partner.
//!
//! It is used for request bodies only. Answers are [`crate::output::Out`] and are written by `serde_json`.

mod number;
mod reader;
mod repr;

pub use number::Number;
pub use reader::{JsonError, MAX_DEPTH, read};
pub use repr::repr;

/// A string as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The string, with U+FFFD in the place of each surrogate that had no partner.
    pub text: String,
    /// The first surrogate without a partner, if there is one: `0xD800` to `0xDFFF`.
    pub lone_surrogate: Option<u16>,
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            lone_surrogate: None,
        }
    }
}

/// A value as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, with its text.
    Number(Number),
    /// A string.
    Text(Text),
    /// `[...]`
    List(Vec<Value>),
    /// `{...}` in the order sent, repeated keys included; [`Value::get`] finds the last.
    Object(Vec<(Text, Value)>),
}

impl Value {
    /// The member `key` of an object: the last one where the key was repeated.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find(|(k, _)| k.lone_surrogate.is_none() && k.text == key)
                .map(|(_, v)| v),
            _ => None,
        }
    }

    /// What error texts call this type: `str`, `int`, `float`, `bool`, `list`, `dict` or `NoneType`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Number(number) if number.is_float() => "float",
            Self::Number(_) => "int",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Object(_) => "dict",
        }
    }
}

#[cfg(test)]
mod tests;
