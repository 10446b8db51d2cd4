//! Files of `KEY=VALUE` lines, in the syntax that dotenv made common.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Cursor;

use anyhow::{Result, bail};
use zeroize::Zeroizing;

/// A key and its value.
pub(crate) type Pair = (String, Zeroizing<String>);

/// Reads a file. A `$` in a value stands for itself: what would be put in its place is not what somebody wrote down as
/// a secret, and might come from the environment. Errors name keys, never values.
pub(crate) fn parse(text: &str) -> Result<Vec<Pair>> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut known = BTreeSet::new();
    let text = literal(text);
    for item in dotenvy::from_read_iter(Cursor::new(text.as_bytes())) {
        let (key, value) = match item {
            Ok((key, value)) => (key, Zeroizing::new(value)),
            Err(error) => {
                // The library quotes the line, and with it the value.
                drop(Zeroizing::new(error.to_string()));
                let after = pairs
                    .last()
                    .map_or_else(|| "at its begin".to_owned(), |(key, _)| format!("after {key}"));
                bail!("the file is not in the form KEY=VALUE {after}: quote values with spaces, quotes or #");
            }
        };
        if !known.insert(key.clone()) {
            bail!("{key} is set twice");
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// The same with every `$` escaped that the parser would look at.
fn literal(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(2 * text.len()));
    let (mut quote, mut escaped, mut comment, mut before) = (None, false, false, '\n');
    for c in text.chars() {
        if comment {
            comment = c != '\n';
        } else if escaped {
            escaped = false;
        } else {
            match (quote, c) {
                (None, '#') if before.is_whitespace() => comment = true,
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (None | Some('"'), '\\') => escaped = true,
                (None | Some('"'), '$') => out.push('\\'),
                _ => {}
            }
        }
        out.push(c);
        before = c;
    }
    out
}

/// One line for a pair, such that [`parse`] and a shell read the same value from it.
pub(crate) fn line(key: &str, value: &str) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(key.len() + 2 * value.len() + 4));
    // Nothing but plain characters needs no quotes; single quotes keep everything but themselves as it is.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if value.chars().all(plain) {
        let _ = writeln!(*line, "{key}={value}");
    } else if !value.contains(['\'', '\n']) {
        // Before the closing quote the parser takes a backslash for more than itself: the last of an odd number goes behind it.
        let backslashes = value.len() - value.trim_end_matches('\\').len();
        let (quoted, bare) = value.split_at(value.len() - backslashes % 2);
        let _ = writeln!(*line, "{key}='{quoted}'{bare}{bare}");
    } else {
        let _ = write!(*line, "{key}=\"");
        for c in value.chars() {
            match c {
                '\n' => line.push_str("\\n"),
                '"' | '\\' | '$' => line.extend(['\\', c]),
                c => line.push(c),
            }
        }
        line.push_str("\"\n");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let pairs = parse(text).expect("readable");
        pairs.into_iter().map(|(key, value)| (key, value.to_string())).collect()
    }

    #[test]
    fn comments_quotes_and_exports_are_read() {
        let text = "# all of it\nexport A=1\nB='two $A words' # why\nC=\"line\\nline\"\n\nD=\n";
        let expected = [("A", "1"), ("B", "two $A words"), ("C", "line\nline"), ("D", "")];
        // A value is what was written, whatever the environment holds.
        let dollars = "# it's $1\nP=pa$HOME\nQ=\"a ${PATH} $c\" # $x 'y\nR=\\$z\n";
        let literal = [("P", "pa$HOME"), ("Q", "a ${PATH} $c"), ("R", "$z")];
        assert_eq!(read(dollars), literal.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(read(text), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in [
            "",
            "plain",
            "p@ss:w0rd/+=",
            "with space",
            "it's",
            "a\"b\\c$d`e",
            "l1\nl2",
            "#no",
            "a\\",
            "a b`c\\\\",
            "$ `\\\\\\",
            "$HOME",
            "{}\t|&;",
            "ü",
        ] {
            let line = line("KEY", value);
            assert_eq!(read(&line), [("KEY".to_owned(), value.to_owned())], "{}", *line);
        }
    }

    #[test]
    fn errors_say_where_and_never_what() {
        let error = parse("A=1\nB=hunter2 'hunter3\n").expect_err("malformed").to_string();
        assert!(error.contains("after A") && !error.contains("hunter"), "{error}");
        assert!(parse("A=1\nA=2\n").is_err());
    }
}
