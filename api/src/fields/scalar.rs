//! What single values may be sent as.

use model::{Kind, Timestamp};
use uuid::Uuid;

use super::Lookup;
use crate::json::{Text, Value};
use crate::{scalars, texts};

/// Texts longer than this are not even looked at as integers.
const INTEGER_TEXT_MAX: usize = 1000;

/// A string, trimmed, or a number as its text. Everything wrong with it is reported.
pub fn text(value: &Value, max: usize, blank: bool) -> Result<String, Vec<String>> {
    let sent = match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => Text {
            text: number.display(),
            lone_surrogate: None,
        },
        _ => return Err(vec![texts::NOT_A_STRING.to_owned()]),
    };
    let trimmed = scalars::trim(&sent.text);
    if trimmed.is_empty() && !blank {
        return Err(vec![texts::BLANK.to_owned()]);
    }
    let mut wrong = Vec::new();
    if trimmed.chars().count() > max {
        wrong.push(texts::too_long(max));
    }
    wrong.extend(bad_characters(&sent));
    if wrong.is_empty() {
        Ok(trimmed.to_owned())
    } else {
        Err(wrong)
    }
}

/// What no text may contain.
pub fn bad_characters(text: &Text) -> Vec<String> {
    let null = text.text.contains('\0').then(|| texts::NULL_CHARACTERS.to_owned());
    null.into_iter()
        .chain(text.lone_surrogate.map(texts::surrogate))
        .collect()
}

/// An integer, or a text of one; a fraction of zeros is forgiven.
pub fn integer(value: &Value, min: i64, max: i64) -> Result<i64, String> {
    let written = match value {
        Value::Number(number) => number.display(),
        Value::Text(text) if text.text.chars().count() > INTEGER_TEXT_MAX => {
            return Err(texts::INTEGER_TOO_LONG.to_owned());
        }
        Value::Text(text) => text.text.clone(),
        _ => return Err(texts::NOT_AN_INTEGER.to_owned()),
    };
    let value = scalars::integer(without_zero_fraction(&written)).ok_or_else(|| texts::NOT_AN_INTEGER.to_owned())?;
    match i64::try_from(value) {
        _ if value < i128::from(min) => Err(texts::too_small(min)),
        Ok(value) if value <= max => Ok(value),
        _ => Err(texts::too_large(max)),
    }
}

/// `80.0`, `80.` and `80.00 ` without what follows the digits.
fn without_zero_fraction(text: &str) -> &str {
    let end = text.trim_end_matches(scalars::is_white);
    match end.trim_end_matches('0').strip_suffix('.') {
        Some(whole) => whole,
        None => text,
    }
}

/// A boolean, or one of the words and numbers that stand for one.
pub fn boolean(value: &Value) -> Result<bool, String> {
    let known = match value {
        Value::Bool(it) => Some(*it),
        Value::Number(number) if number.as_f64() == 1.0 => Some(true),
        Value::Number(number) if number.as_f64() == 0.0 => Some(false),
        Value::Text(text) => match text.text.to_ascii_lowercase().as_str() {
            "t" | "y" | "yes" | "true" | "on" | "1" => Some(true),
            "f" | "n" | "no" | "false" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    known.ok_or_else(|| texts::NOT_A_BOOLEAN.to_owned())
}

/// The id of an object that the client owns.
pub fn reference(value: &Value, kind: Kind, lookup: &dyn Lookup) -> Result<Uuid, String> {
    let id = match value {
        Value::Bool(_) => return Err(texts::incorrect_type(value)),
        Value::Text(text) => scalars::uuid(&text.text),
        Value::Number(number) if number.is_float() => None,
        Value::Number(number) => number.display().parse().ok().map(Uuid::from_u128),
        _ => None,
    };
    let id = id.ok_or_else(|| texts::not_a_uuid(value))?;
    if lookup.exists(kind, id) {
        Ok(id)
    } else {
        Err(texts::no_such_object(&crate::json::repr(value)))
    }
}

/// One of these words.
pub fn choice(value: &Value, words: &[&str]) -> Result<String, String> {
    match value {
        Value::Text(text) if words.contains(&text.text.as_str()) => Ok(text.text.clone()),
        _ => Err(texts::not_a_choice(value)),
    }
}

/// A moment in ISO 8601.
pub fn time(value: &Value) -> Result<Timestamp, String> {
    let known = match value {
        Value::Text(text) => scalars::time(&text.text),
        _ => None,
    };
    known.ok_or_else(|| texts::NOT_A_TIME.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read;

    #[test]
    fn integers_as_clients_write_them() {
        for source in [
            "80",
            "80.0",
            "8.0e1",
            "\"80\"",
            "\" 80 \"",
            "\"+80\"",
            "\"0080\"",
            "\"80.0\"",
            "\"80.\"",
            "\"8_0\"",
            "\"٨٠\"",
            "\"80.00 \"",
            "\"80.\\n\"",
            "0.8e2",
        ] {
            assert_eq!(integer(&read(source).unwrap(), 1, 65535), Ok(80), "{source}");
        }
        for source in [
            "\"\"",
            "\"x\"",
            "true",
            "[]",
            "{}",
            "2.5",
            "\"2.5\"",
            "\"0x5\"",
            "\"1e0\"",
            "\"1,0\"",
            "\"nan\"",
            "1e16",
            "1e400",
            "\".0\"",
            "\".\"",
            "\"80.0.0\"",
            "[5]",
        ] {
            assert_eq!(
                integer(&read(source).unwrap(), 1, 65535),
                Err(texts::NOT_AN_INTEGER.into()),
                "{source}"
            );
        }
        let below = Err("Ensure this value is greater than or equal to 1.".to_owned());
        let above = Err("Ensure this value is less than or equal to 12.".to_owned());
        for (source, expected) in [
            ("0", &below),
            ("-0", &below),
            ("-99999999999999999999999999999999999999999999", &below),
            ("13", &above),
            ("99999999999999999999999999999999999999999999", &above),
            ("9007199254740993", &above),
            ("1e15", &above),
        ] {
            assert_eq!(&integer(&read(source).unwrap(), 1, 12), expected, "{source}");
        }
        let long = Value::Text(Text::from("1".repeat(1001).as_str()));
        assert_eq!(integer(&long, 1, 12), Err(texts::INTEGER_TOO_LONG.into()));
    }

    #[test]
    fn booleans_as_clients_write_them() {
        for source in [
            "true", "1", "1.0", "\"t\"", "\"Y\"", "\"yes\"", "\"TRUE\"", "\"on\"", "\"1\"", "1e0",
        ] {
            assert_eq!(boolean(&read(source).unwrap()), Ok(true), "{source}");
        }
        for source in [
            "false",
            "0",
            "0.0",
            "-0",
            "\"f\"",
            "\"N\"",
            "\"no\"",
            "\"False\"",
            "\"off\"",
            "\"0\"",
        ] {
            assert_eq!(boolean(&read(source).unwrap()), Ok(false), "{source}");
        }
        for source in ["\"\"", "\"null\"", "2", "[]", "{}", "\" true\"", "\"1.0\""] {
            assert!(boolean(&read(source).unwrap()).is_err(), "{source}");
        }
    }

    #[test]
    fn everything_wrong_with_a_text_is_reported_at_once() {
        let long = format!("\"{}\\u0000\\ud800\"", "x".repeat(40));
        assert_eq!(
            text(&read(&long).unwrap(), 32, false),
            Err(vec![
                texts::too_long(32),
                texts::NULL_CHARACTERS.into(),
                texts::surrogate(0xD800)
            ])
        );
        let emoji = format!("\"\u{3000}{}\u{a0}\"", "\u{1f600}".repeat(32));
        assert_eq!(text(&read(&emoji).unwrap(), 32, false), Ok("\u{1f600}".repeat(32)));
        assert_eq!(text(&read("\"\u{200b}\"").unwrap(), 32, false), Ok("\u{200b}".into()));
    }
}
