//! What no secret can hold, found before the first value is set.

use anyhow::{Result, bail};

use crate::dotenv::Pair;

/// Bytes of a value at most, as the API has it.
const VALUE_MAX: usize = 500 * 1024;

/// Drops pairs without a value if `skip_empty`, and refuses the rest as a whole if the API would refuse any of it. Names
/// keys, never values.
pub(super) fn check(mut pairs: Vec<Pair>, skip_empty: bool) -> Result<Vec<Pair>> {
    if skip_empty {
        pairs.retain(|(_, value)| !value.trim().is_empty());
    }
    let faults: Vec<_> = pairs.iter().filter_map(|(key, value)| fault(key, value)).collect();
    if !faults.is_empty() {
        bail!("nothing was set, because of {}", faults.join("; "));
    }
    Ok(pairs)
}

fn fault(key: &str, value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = key.chars().all(plain) && !key.starts_with(|c: char| c.is_ascii_digit());
    if !named || key.is_empty() || key.len() > 253 {
        Some(format!(
            "{key}, which is no name of an environment variable (letters, digits and _, no digit first, 253 at most)"
        ))
    } else if value.trim().is_empty() {
        Some(format!("{key}, which is empty (--skip-empty leaves such lines out)"))
    } else if value.contains('\0') {
        Some(format!("{key}, which holds a NUL character"))
    } else if value.len() > VALUE_MAX {
        Some(format!(
            "{key}, which has {} bytes ({VALUE_MAX} bytes at most)",
            value.len()
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Vec<Pair> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Zeroizing::new((*value).to_owned()));
        all.iter().map(pair).collect()
    }

    #[test]
    fn every_fault_is_named_at_once_and_no_value() {
        let long = "x".repeat(VALUE_MAX + 1);
        let all = pairs(&[
            ("GOOD", "1"),
            ("9LIVES", "2"),
            ("a.b", "3"),
            ("EMPTY", " "),
            ("NUL", "4\0"),
            ("LONG", &long),
        ]);
        let text = check(all, false).unwrap_err().to_string();
        for key in [
            "9LIVES",
            "a.b",
            "EMPTY",
            "NUL",
            "LONG",
            "--skip-empty",
            "512001",
            "512000",
        ] {
            assert!(text.contains(key), "{key}: {text}");
        }
        assert!(!text.contains("GOOD") && !text.contains("xx"), "{text}");
    }

    #[test]
    fn empty_lines_are_left_out_on_demand() {
        let all = pairs(&[("A", "1"), ("B", ""), ("C", "x".repeat(VALUE_MAX).as_str())]);
        let kept: Vec<_> = check(all, true).unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(kept, ["A", "C"]);
    }
}
