//! How texts become scalars: white space, decimal digits of every script, integers, ids and times.

use jiff::fmt::temporal::DateTimePrinter;
use model::Timestamp;
use uuid::Uuid;

/// The first code point of each run of ten decimal digits (general category Nd, Unicode 16).
const ZEROS: [u32; 76] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136,
    0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0,
    0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8,
    0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

/// White space as clients mean it: Unicode's, and the four ASCII separators.
#[must_use]
pub fn is_white(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text` without white space at its ends.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_white)
}

/// The value of a decimal digit of any script.
#[must_use]
pub fn decimal_digit(c: char) -> Option<u8> {
    let code = u32::from(c);
    let at = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    u8::try_from(code - ZEROS[at]).ok().filter(|digit| *digit < 10)
}

/// An integer written in decimal: a sign, digits of any script, single underscores between them, white space around.
/// Values beyond the range of `i128` become its ends.
#[must_use]
pub fn integer(text: &str) -> Option<i128> {
    let text = trim(text);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value: i128 = 0;
    let mut after_digit = false;
    for c in digits.chars() {
        match decimal_digit(c) {
            Some(digit) => {
                value = value.saturating_mul(10).saturating_add(i128::from(digit));
                after_digit = true;
            }
            None if c == '_' && after_digit => after_digit = false,
            None => return None,
        }
    }
    after_digit.then_some(if negative { -value } else { value })
}

/// An id in any form that clients may send: canonical, capitals, without dashes, `{id}`, `urn:uuid:id`.
#[must_use]
pub fn uuid(text: &str) -> Option<Uuid> {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let digits = bare.trim_matches(['{', '}']).replace('-', "");
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(Uuid::from_u128)
}

/// A moment as clients see it: ISO 8601, UTC with `Z`, six digits of a second or none.
#[must_use]
pub fn time_text(at: Timestamp) -> String {
    const SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    const MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(time) if at.0.is_multiple_of(1_000_000) => SECONDS.timestamp_to_string(&time),
        Ok(time) => MICROSECONDS.timestamp_to_string(&time),
        // Beyond the year 9999; no clock is that wrong.
        Err(_) => "9999-12-31T23:59:59Z".to_owned(),
    }
}

/// Reads a moment in ISO 8601; one without an offset is taken as UTC. `None` also for moments before 1970.
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    let text = trim(text);
    let moment = match text.parse::<jiff::Timestamp>() {
        Ok(moment) => moment,
        Err(_) => jiff::tz::Offset::UTC.to_timestamp(text.parse().ok()?).ok()?,
    };
    u64::try_from(moment.as_microsecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_every_spelling() {
        for (text, value) in [
            ("80", 80),
            (" 80 ", 80),
            ("+80", 80),
            ("0080", 80),
            ("8_0", 80),
            ("٨٠", 80),
            ("-5", -5),
            ("\u{a0}7\u{3000}", 7),
            ("𝟗", 9),
            ("0", 0),
            ("-0", 0),
        ] {
            assert_eq!(integer(text), Some(value), "{text:?}");
        }
        for text in [
            "",
            " ",
            "+",
            "_8",
            "8_",
            "8__0",
            "0x5",
            "1e0",
            "1,0",
            "nan",
            "1.0",
            "+ 8",
            "+_8",
            "½",
            "8\u{200b}",
            "²",
        ] {
            assert_eq!(integer(text), None, "{text:?}");
        }
        assert_eq!(integer(&"9".repeat(500)), Some(i128::MAX));
    }

    #[test]
    fn digits_are_in_order() {
        assert!(ZEROS.is_sorted());
        assert_eq!(decimal_digit('9'), Some(9));
        assert_eq!(decimal_digit(':'), None);
        assert_eq!(decimal_digit('\u{0}'), None);
    }

    #[test]
    fn ids_in_every_spelling() {
        let id = Uuid::from_u128(0x0190_1234_5678_7abc_8def_0123_4567_89ab);
        let canonical = id.to_string();
        for text in [
            canonical.clone(),
            canonical.to_uppercase(),
            canonical.replace('-', ""),
            format!("{{{canonical}}}"),
            format!("urn:uuid:{canonical}"),
        ] {
            assert_eq!(uuid(&text), Some(id), "{text}");
        }
        for text in [
            "",
            "x",
            &canonical[1..],
            &format!(" {canonical}"),
            &format!("{canonical}\0"),
            "URN:UUID:",
            "é",
        ] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }

    #[test]
    fn times_have_six_digits_or_none() {
        assert_eq!(
            time_text(Timestamp(1_728_986_400_123_456)),
            "2024-10-15T10:00:00.123456Z"
        );
        assert_eq!(time_text(Timestamp(1_728_986_400_000_000)), "2024-10-15T10:00:00Z");
        assert_eq!(
            time_text(Timestamp(1_728_986_400_000_001)),
            "2024-10-15T10:00:00.000001Z"
        );
        for text in [
            "2024-10-15T10:00:00.123456Z",
            "2024-10-15T12:00:00.123456+02:00",
            "2024-10-15T10:00:00.123456",
        ] {
            assert_eq!(time(text), Some(Timestamp(1_728_986_400_123_456)), "{text}");
        }
        assert_eq!(time("1960-01-01T00:00:00Z"), None);
        assert_eq!(time("tomorrow"), None);
    }
}
