//! Objects with members of their own. They are sent as a whole: what is left out has its default. A member that nobody
//! knows is refused, since it would otherwise change nothing and nobody would notice.

use super::check::one;
use super::{FieldSpec, Lookup, Need, Values};
use crate::json::Value;
use crate::{scalars, texts};

/// Items of a list at most.
const MAX_ITEMS: usize = 100;

/// An object. Each text names the member it is about.
pub fn object(value: &Value, members: &[FieldSpec], lookup: &dyn Lookup) -> Result<Values, Vec<String>> {
    let Value::Object(sent) = value else {
        return Err(vec![texts::not_a_dictionary(value)]);
    };
    let known = |name: &str| members.iter().any(|it| it.name == name);
    let mut wrong: Vec<String> = sent
        .iter()
        .filter(|(name, _)| !known(&name.text))
        .map(|(name, _)| texts::unknown_member(scalars::trim(&name.text), members.iter().map(|it| it.name)))
        .collect();
    let mut values = Values::default();
    for member in members {
        match value.get(member.name).map(|it| one(member, it, lookup)) {
            Some(Ok(value)) => values.put(member.name, value),
            Some(Err(texts)) => wrong.extend(texts.into_iter().map(|text| format!("{}: {text}", member.name))),
            None if member.need == Need::Required => wrong.push(format!("{}: {}", member.name, texts::REQUIRED)),
            None => {}
        }
    }
    if wrong.is_empty() { Ok(values) } else { Err(wrong) }
}

/// A list of objects. Each text names the item and the member.
pub fn objects(value: &Value, members: &[FieldSpec], lookup: &dyn Lookup) -> Result<Vec<Values>, Vec<String>> {
    let Value::List(items) = value else {
        return Err(vec![texts::not_a_list(value)]);
    };
    if items.len() > MAX_ITEMS {
        return Err(vec![texts::too_many(MAX_ITEMS)]);
    }
    let mut wrong = Vec::new();
    let mut all = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        match object(item, members, lookup) {
            Ok(values) => all.push(values),
            Err(texts) => wrong.extend(texts.into_iter().map(|text| texts::of_item(n, &text))),
        }
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}
