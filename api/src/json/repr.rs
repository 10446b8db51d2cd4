//! How a value is quoted inside an error text.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use super::Value;

/// A value as error texts quote it: a string as it is, a number in its shortest form, `True`, `None`, `['a', 1]`,
/// `{'a': 1}`.
#[must_use]
pub fn repr(value: &Value) -> String {
    match value {
        Value::Text(text) => text.text.clone(),
        _ => {
            let mut out = String::new();
            nested(value, &mut out);
            out
        }
    }
}

fn nested(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number.display()),
        Value::Text(text) => quoted(&text.text, out),
        Value::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { ", " });
                nested(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            // A repeated key keeps its first place and its last value.
            let mut places: HashMap<&str, usize> = HashMap::new();
            let mut kept: Vec<(&str, &Value)> = Vec::new();
            for (key, value) in members {
                match places.entry(&key.text) {
                    Entry::Occupied(place) => kept[*place.get()].1 = value,
                    Entry::Vacant(place) => {
                        place.insert(kept.len());
                        kept.push((&key.text, value));
                    }
                }
            }
            for (n, (key, value)) in kept.into_iter().enumerate() {
                out.push_str(if n == 0 { "" } else { ", " });
                quoted(key, out);
                out.push_str(": ");
                nested(value, out);
            }
            out.push('}');
        }
    }
}

fn quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() && u32::from(c) < 0x100 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}
