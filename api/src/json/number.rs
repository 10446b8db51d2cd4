//! Numbers with their text.

/// A number as it was written. Texts come from the reader, so they follow JSON's grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    text: String,
}

impl Number {
    /// Only for text that follows JSON's grammar for numbers.
    pub(super) fn from_checked(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// As it was written.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.text
    }

    /// Written with a fraction or an exponent.
    #[must_use]
    pub fn is_float(&self) -> bool {
        self.text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'))
    }

    /// Its value as a double; beyond the range of doubles it is infinite.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        // JSON's grammar is a part of what Rust reads, so this cannot fail.
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// The text that clients get to see where a string field is given a number: integers digit for digit, floats in
    /// their shortest exact form, always with a fraction or an exponent (`1.5`, `1000.0`, `1e+16`, `inf`).
    #[must_use]
    pub fn display(&self) -> String {
        if !self.is_float() {
            return if self.text == "-0" {
                "0".to_owned()
            } else {
                self.text.clone()
            };
        }
        float_text(self.as_f64())
    }
}

/// The shortest text that reads back as `value`, in plain notation from 1e-4 up to below 1e16.
fn float_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 {
            "inf".to_owned()
        } else {
            "-inf".to_owned()
        };
    }
    let shortest = format!("{value:e}");
    // Of two shortest texts equally far away, the even one is meant, as correct rounding to as many digits gives it.
    let digits = shortest
        .bytes()
        .take_while(|b| *b != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let rounded = format!("{value:.*e}", digits.saturating_sub(1));
    let scientific = if rounded.parse() == Ok(value) {
        rounded
    } else {
        shortest
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        return plain(mantissa, exponent);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// A mantissa such as `-1.25` times ten to the `exponent`, without an exponent and with a fraction.
fn plain(mantissa: &str, exponent: i32) -> String {
    let (sign, unsigned) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = unsigned.replace('.', "");
    let Ok(whole) = usize::try_from(exponent + 1) else {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    };
    if whole == 0 {
        return format!("{sign}0.{digits}");
    }
    let padded = format!("{digits:0<whole$}");
    let (whole, fraction) = padded.split_at(whole);
    format!("{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
}
