//! `If-Match` (RFC 9110, section 13.1.1): a change is made only to the object that the client has seen.

use http::HeaderMap;
use http::header::IF_MATCH;
use model::{Expect, Key, Revision};

use crate::errors::ApiError;

/// An object's ETag.
pub fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// What the client expects of an object as it is now; `None` if nothing. Tags are compared strongly.
///
/// # Errors
/// [`ApiError::PreconditionFailed`] if it is not what the client has seen.
pub fn expect(headers: &HeaderMap, version: Option<(Key, Revision)>) -> Result<Option<Expect>, ApiError> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(None);
    }
    let lines: Vec<_> = headers
        .get_all(IF_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut tags = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    let Some((key, revision)) = version else {
        return Ok(None);
    };
    let own = etag(revision);
    match tags.find(|tag| *tag == "*" || *tag == own) {
        Some("*") => Ok(None),
        Some(_) => Ok(Some(Expect { key, revision })),
        None => Err(ApiError::PreconditionFailed),
    }
}

#[cfg(test)]
mod tests {
    use model::{ServiceId, State};

    use super::*;

    #[test]
    fn tags_are_compared_strongly() {
        let key = Key::Service(ServiceId(uuid::Uuid::nil()));
        let version = Some((key, Revision(7)));
        let sent = |text: &str| HeaderMap::from_iter([(IF_MATCH, text.parse().unwrap())]);
        let expected = Some(Expect {
            key,
            revision: Revision(7),
        });
        for (text, fine) in [("\"7\"", expected), ("\"6\", \"7\"", expected), ("*", None)] {
            assert_eq!(expect(&sent(text), version).unwrap(), fine, "{text}");
        }
        for text in ["\"6\"", "W/\"7\"", "7", ""] {
            assert!(
                matches!(expect(&sent(text), version), Err(ApiError::PreconditionFailed)),
                "{text}"
            );
        }
        assert_eq!(expect(&HeaderMap::new(), version).unwrap(), None);
        assert_eq!(State::default().revision_of(key), None);
    }
}
