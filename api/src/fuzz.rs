//! What the fuzzers (`fuzzing`) do with bytes that come from clients.

use http::header::{ACCEPT, HeaderMap, HeaderValue};

use crate::json::{self, Value};
use crate::request::{Query, negotiate};
use crate::router::list::page_number;
use crate::router::paths::{Resolved, resolve};
use crate::scalars;

/// Reads a body. It is JSON exactly if another reader of the same grammar takes it too.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ours = json::read(text);
    match &ours {
        Ok(value) => {
            drop(json::repr(value));
            visit(value);
        }
        Err(error) => assert!(error.line > 0 && error.column > 0, "{error}"),
    }
    let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text);
    // They differ where they are meant to: in how deep a value may be, and in surrogates without a partner.
    let differs = text.contains("\\u") || deep(text);
    assert!(differs || ours.is_ok() == theirs.is_ok(), "{ours:?} {theirs:?}");
}

/// Whether a value in it may be nested more deeply than one of the two readers goes.
fn deep(text: &str) -> bool {
    text.bytes().filter(|it| matches!(it, b'[' | b'{')).count() >= 100
}

fn visit(value: &Value) {
    assert!(!value.type_name().is_empty());
    match value {
        Value::Number(number) => {
            drop(number.display());
            assert!(!number.as_f64().is_nan(), "{}", number.as_written());
        }
        Value::List(items) => items.iter().for_each(visit),
        Value::Object(members) => {
            for (key, member) in members {
                visit(member);
                assert!(
                    key.lone_surrogate.is_some() || value.get(&key.text).is_some(),
                    "{}",
                    key.text
                );
            }
        }
        Value::Null | Value::Bool(_) | Value::Text(_) => {}
    }
}

/// Reads a query string: its page, its order, and a link to another page, which keeps everything else.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let query = Query::parse(Some(&text));
    for pages in [1, 7, u64::MAX] {
        if let Ok(page) = page_number(&query, pages) {
            assert!((1..=pages).contains(&page));
        }
    }
    let link = query.with_page(2);
    let again = Query::parse(link.strip_prefix('?'));
    assert_eq!(again.last("page"), Some("2"));
    for name in ["ordering", "project", "follow", "a"] {
        assert_eq!(again.last(name), query.last(name), "{name} in {link}");
    }
    if let Some(text) = query.last("page")
        && let Some(at) = scalars::time(text)
    {
        // Nothing finer than a microsecond is kept, nor anything after the year 9999.
        assert_eq!(scalars::time(&scalars::time_text(at)), Some(at), "{text}");
    }
}

/// Looks a path up, with the ids in it.
pub fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Resolved::Found(path, ids) = resolve(&text) else {
        return;
    };
    assert!(path.allows("OPTIONS"));
    for read in [&ids.parent, &ids.id].into_iter().filter_map(|it| scalars::uuid(it)) {
        assert_eq!(scalars::uuid(&read.to_string()), Some(read));
    }
}

/// Reads an Accept header.
pub fn accept(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|it| *it == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(ACCEPT, value);
        }
    }
    if let Ok(accepted) = negotiate(&headers) {
        assert!(accepted.indent.is_none_or(|it| (1..=8).contains(&it)));
    }
}
