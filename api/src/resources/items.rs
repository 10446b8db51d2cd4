//! What items of configs and of secrets have in common.

use crate::errors::FieldErrors;
use crate::fields::{Shape, Values};
use crate::texts;

/// Bytes of a value at most, in UTF-8.
const VALUE_MAX: usize = 500 * 1024;

/// A key of an item.
pub const KEY: Shape = Shape::Text { max: 253, blank: false };
/// A value of an item. Its limit is one of bytes, see [`check_value`].
pub const VALUE: Shape = Shape::Text {
    max: usize::MAX,
    blank: false,
};

/// Refuses a value that is too large.
pub fn check_value(values: &Values, errors: &mut FieldErrors) {
    if values.peek_text("value").is_some_and(|it| it.len() > VALUE_MAX) {
        errors.add("value", [texts::value_too_large(VALUE_MAX)]);
    }
}

/// Refuses a key that is not `good`.
pub fn check_key(values: &Values, good: impl Fn(&str) -> bool, otherwise: &str, errors: &mut FieldErrors) {
    if values.peek_text("key").is_some_and(|it| !good(it)) {
        errors.add("key", [otherwise.to_owned()]);
    }
}
