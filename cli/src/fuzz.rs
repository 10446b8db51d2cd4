//! What the fuzzers (`fuzzing`) do with bytes that come from files of operators.

use crate::dotenv;

/// Reads a file of `KEY=VALUE` lines. What can be read is written, line by line, and read again as the same.
pub fn dotenv(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(pairs) = dotenv::parse(&text) else { return };
    for (key, value) in pairs {
        let line = dotenv::line(&key, &value);
        let again = dotenv::parse(&line).unwrap_or_else(|error| panic!("{error}: {}", *line));
        assert!(again == [(key, value)], "{}", *line);
    }
}
