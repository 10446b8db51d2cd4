//! What the client takes.

use http::HeaderMap;
use http::header::ACCEPT;

use super::media_type::MediaType;
use crate::errors::ApiError;
use crate::scalars;

/// Levels are indented by this much at most.
const MAX_INDENT: i128 = 8;

/// How the client wants its JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Spaces for each level; `None` is compact.
    pub indent: Option<usize>,
}

/// Reads the Accept header. None at all is `*/*`; an empty one takes nothing.
///
/// # Errors
/// [`ApiError::NotAcceptable`] when JSON is not among what the client takes.
pub fn negotiate(headers: &HeaderMap) -> Result<Accepted, ApiError> {
    let lines: Vec<_> = headers
        .get_all(ACCEPT)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    if lines.is_empty() {
        return Ok(Accepted::default());
    }
    let types = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(MediaType::parse)
        .filter(MediaType::takes_json);
    // Of several, the most exactly named decides, and the first of those.
    let best = types.fold(None::<MediaType>, |best, new| match best {
        Some(best) if best.precedence() >= new.precedence() => Some(best),
        _ => Some(new),
    });
    let indent = best
        .ok_or(ApiError::NotAcceptable)?
        .parameter("indent")
        .and_then(scalars::integer);
    let indent = indent
        .map(|width| width.clamp(0, MAX_INDENT))
        .filter(|width| *width > 0);
    Ok(Accepted {
        indent: indent.and_then(|width| usize::try_from(width).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indent_of(accept: &str) -> Result<Option<usize>, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        negotiate(&headers).map(|accepted| accepted.indent)
    }

    #[test]
    fn json_is_found_in_any_dress() {
        for accept in [
            "application/json",
            "APPLICATION/JSON",
            "application/json; q=0",
            "application/*",
            "*/*",
            "text/html, */*;q=0.1",
            " application/json ;version=2",
            "text/html,application/json",
        ] {
            assert!(indent_of(accept).is_ok(), "{accept}");
        }
        for accept in [
            "",
            "*",
            "text/html",
            "application/vnd.api+json",
            "text/*",
            "json",
            "*/json",
            ",",
        ] {
            assert!(indent_of(accept).is_err(), "{accept}");
        }
    }

    #[test]
    fn the_most_exact_type_sets_the_indent() {
        assert_eq!(indent_of("*/*; indent=2").unwrap(), Some(2));
        assert_eq!(
            indent_of("*/*; indent=2, application/json; indent=40").unwrap(),
            Some(8)
        );
        assert_eq!(indent_of("application/json; indent=0").unwrap(), None);
        assert_eq!(indent_of("application/json; indent=x").unwrap(), None);
    }
}
