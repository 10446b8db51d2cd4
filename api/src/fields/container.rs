//! What lists and objects may be sent as. Their errors are flat: each text names the item it is about.

use std::collections::BTreeMap;

use super::scalar;
use super::values::ResourcesInput;
use crate::json::{Text, Value};
use crate::texts;

/// Items of a list or members of an object at most.
const MAX_ITEMS: usize = 1000;

/// A list of strings, kept as they were sent.
pub fn texts(value: &Value) -> Result<Vec<String>, Vec<String>> {
    let Value::List(items) = value else {
        return Err(vec![texts::not_a_list(value)]);
    };
    if items.len() > MAX_ITEMS {
        return Err(vec![texts::too_many(MAX_ITEMS)]);
    }
    let mut wrong = Vec::new();
    let mut out = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        match untrimmed(item) {
            Ok(text) => out.push(text),
            Err(texts) => wrong.extend(texts.into_iter().map(|text| texts::of_item(n, &text))),
        }
    }
    if wrong.is_empty() { Ok(out) } else { Err(wrong) }
}

/// Names and values of environment variables.
pub fn environment(value: &Value) -> Result<BTreeMap<String, String>, Vec<String>> {
    let Value::Object(members) = value else {
        return Err(vec![texts::not_a_dictionary(value)]);
    };
    if members.len() > MAX_ITEMS {
        return Err(vec![texts::too_many(MAX_ITEMS)]);
    }
    let mut wrong = Vec::new();
    let mut out = BTreeMap::new();
    for (key, value) in members {
        let mut of_member = scalar::bad_characters(key);
        if key.text.is_empty() || key.text.contains('=') {
            of_member.push(texts::BAD_ENV_NAME.to_owned());
        }
        match untrimmed(value) {
            Ok(text) => {
                out.insert(key.text.clone(), text);
            }
            Err(texts) => of_member.extend(texts),
        }
        wrong.extend(of_member.into_iter().map(|text| format!("{}: {text}", key.text)));
    }
    if wrong.is_empty() { Ok(out) } else { Err(wrong) }
}

fn untrimmed(value: &Value) -> Result<String, Vec<String>> {
    let text = match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => Text {
            text: number.display(),
            lone_surrogate: None,
        },
        Value::Null => return Err(vec![texts::NOT_NULL.to_owned()]),
        _ => return Err(vec![texts::NOT_A_STRING.to_owned()]),
    };
    let wrong = scalar::bad_characters(&text);
    if wrong.is_empty() { Ok(text.text) } else { Err(wrong) }
}

/// `{"limits": {"cpu", "memory"}, "reservations": {"cpu", "memory"}}`; what is left out or null is no limit and no
/// reservation.
pub fn resources(value: &Value) -> Result<ResourcesInput, Vec<String>> {
    let Value::Object(_) = value else {
        return Err(vec![texts::not_a_dictionary(value)]);
    };
    let mut wrong = Vec::new();
    let mut out = ResourcesInput::default();
    // A limit of nothing would stop the container; a reservation of nothing is none.
    let mut read = |group: &str, min: i64| -> [Option<u64>; 2] {
        let members = match value.get(group) {
            None | Some(Value::Null) => return [None, None],
            Some(members @ Value::Object(_)) => members,
            Some(other) => {
                wrong.push(format!("{group}: {}", texts::not_a_dictionary(other)));
                return [None, None];
            }
        };
        ["cpu", "memory"].map(|name| match members.get(name) {
            None | Some(Value::Null) => None,
            Some(amount) => match scalar::integer(amount, min, i64::MAX) {
                Ok(amount) => u64::try_from(amount).ok(),
                Err(text) => {
                    wrong.push(format!("{group}.{name}: {text}"));
                    None
                }
            },
        })
    };
    [out.cpu_limit, out.memory_limit] = read("limits", 1);
    [out.cpu_reservation, out.memory_reservation] = read("reservations", 0);
    if wrong.is_empty() { Ok(out) } else { Err(wrong) }
}
