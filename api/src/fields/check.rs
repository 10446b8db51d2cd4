//! All fields of a body against their table, every failing one reported.

use model::Kind;
use uuid::Uuid;

use super::{Cleaned, FieldSpec, Need, Shape, Values, container, object, scalar};
use crate::errors::FieldErrors;
use crate::json::Value;
use crate::texts;

/// Which objects the client may refer to.
pub trait Lookup {
    /// Whether there is such an object that the client owns.
    fn exists(&self, kind: Kind, id: Uuid) -> bool;
}

/// What a request is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Required fields must be there.
    Create,
    /// Only the fields given are checked.
    Patch,
}

/// What passed, and what did not.
#[derive(Debug, Default)]
pub struct Checked {
    /// Fields that passed.
    pub values: Values,
    /// Fields that did not.
    pub errors: FieldErrors,
}

/// Checks a body against a table.
///
/// # Errors
/// When the body is no object at all; single fields are reported in the result.
pub fn check<'a>(
    specs: impl Iterator<Item = &'a FieldSpec>,
    body: &Value,
    mode: Mode,
    lookup: &dyn Lookup,
) -> Result<Checked, FieldErrors> {
    match body {
        Value::Object(_) => {}
        Value::Null => return Err(FieldErrors::one("non_field_errors", texts::NO_DATA)),
        other => return Err(FieldErrors::one("non_field_errors", texts::not_an_object(other))),
    }
    let mut checked = Checked::default();
    for spec in specs.filter(|spec| spec.need != Need::ReadOnly) {
        match body.get(spec.name) {
            Some(value) => match one(spec, value, lookup) {
                Ok(value) => checked.values.put(spec.name, value),
                Err(texts) => checked.errors.add(spec.name, texts),
            },
            None if mode == Mode::Create && spec.need == Need::Required => {
                checked.errors.add(spec.name, [texts::REQUIRED.to_owned()]);
            }
            None => {}
        }
    }
    Ok(checked)
}

pub(super) fn one(spec: &FieldSpec, value: &Value, lookup: &dyn Lookup) -> Result<Cleaned, Vec<String>> {
    let is_reference = matches!(spec.shape, Shape::Reference(_));
    let counts_as_null =
        matches!(value, Value::Null) || is_reference && matches!(value, Value::Text(t) if t.text.is_empty());
    if counts_as_null {
        return if spec.nullable {
            Ok(Cleaned::Null)
        } else {
            Err(vec![texts::NOT_NULL.to_owned()])
        };
    }
    let single = |text: String| vec![text];
    match spec.shape {
        Shape::Text { max, blank } => scalar::text(value, max, blank).map(Cleaned::Text),
        Shape::Integer { min, max } => scalar::integer(value, min, max).map(Cleaned::Integer).map_err(single),
        Shape::Boolean => scalar::boolean(value).map(Cleaned::Boolean).map_err(single),
        Shape::Reference(kind) => scalar::reference(value, kind, lookup)
            .map(Cleaned::Reference)
            .map_err(single),
        Shape::Choice(words) => scalar::choice(value, words).map(Cleaned::Text).map_err(single),
        Shape::Time => scalar::time(value).map(Cleaned::Time).map_err(single),
        Shape::Texts => container::texts(value).map(Cleaned::Texts),
        Shape::Environment => container::environment(value).map(Cleaned::Environment),
        Shape::Resources => container::resources(value).map(Cleaned::Resources),
        Shape::Object(members) => object::object(value, members, lookup).map(Cleaned::Object),
        Shape::Objects(members) => object::objects(value, members, lookup).map(Cleaned::Objects),
        // Only ever shown; a table that says otherwise is wrong, and its test fails on this text.
        Shape::Id | Shape::Other(_) => Err(vec!["This field cannot be set.".to_owned()]),
    }
}
