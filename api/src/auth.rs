//! Who asks.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use model::{Account, Scope, State, Timestamp};

use crate::errors::ApiError;
use crate::texts;

/// What a client shows to prove who it is. Keys are compared by their hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    hash: [u8; 32],
}

/// Who asks, and what the key allows.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Whose key it is.
    pub account: Account,
    /// What it may be used for.
    pub scope: Scope,
}

/// SHA-256 of a key or token as clients send it.
#[must_use]
pub fn hash(key: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, key).as_ref());
    out
}

/// Reads the credentials of a request: a Bearer token, else an `X-API-Key`. Other schemes and empty headers count as
/// nothing.
///
/// # Errors
/// [`ApiError::Unauthenticated`] when there are none, or a Bearer header that cannot be one.
pub fn credentials(headers: &HeaderMap) -> Result<Credentials, ApiError> {
    let sent = headers
        .get(AUTHORIZATION)
        .map(http::HeaderValue::as_bytes)
        .unwrap_or_default();
    let mut words = sent
        .split(|b| b.is_ascii_whitespace() || *b == 0x0b)
        .filter(|word| !word.is_empty());
    if words
        .next()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
    {
        let refused = |text| Err(ApiError::Unauthenticated(text));
        return match (words.next(), words.next()) {
            (None, _) => refused(texts::TOKEN_EMPTY),
            (Some(_), Some(_)) => refused(texts::TOKEN_SPACES),
            (Some(key), None) if std::str::from_utf8(key).is_err() => refused(texts::TOKEN_CHARACTERS),
            (Some(key), None) => Ok(Credentials { hash: hash(key) }),
        };
    }
    match headers.get("x-api-key").map(|key| key.as_bytes().trim_ascii()) {
        Some(key) if !key.is_empty() => Ok(Credentials { hash: hash(key) }),
        _ => Err(ApiError::Unauthenticated(texts::NO_CREDENTIALS)),
    }
}

/// Looks the credentials up.
///
/// # Errors
/// [`ApiError::Unauthenticated`] for an unknown, expired or revoked key.
pub fn identify(credentials: &Credentials, state: &State, now: Timestamp) -> Result<Asker, ApiError> {
    let key = state
        .api_key_by_hash(&credentials.hash)
        .filter(|key| key.expires_at.is_none_or(|end| now < end));
    let asker = key.and_then(|key| {
        Some(Asker {
            account: state.account(key.account)?.clone(),
            scope: key.scope,
        })
    });
    asker.ok_or(ApiError::Unauthenticated(texts::INVALID_TOKEN))
}

/// A secret that cannot be guessed: `prefix` and 256 random bits.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_secret(prefix: &str) -> Result<String, ApiError> {
    use base64::Engine as _;
    use ring::rand::SecureRandom as _;

    let mut bytes = [0; 32];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ApiError::Internal("the system gives no randomness".to_owned()))?;
    Ok(format!(
        "{prefix}{}",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Result<Credentials, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().unwrap());
        }
        credentials(&headers).map_err(|error| match error {
            ApiError::Unauthenticated(text) => text.to_owned(),
            other => panic!("{other}"),
        })
    }

    fn key(text: &str) -> Result<Credentials, String> {
        Ok(Credentials {
            hash: hash(text.as_bytes()),
        })
    }

    impl std::fmt::Debug for Credentials {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Credentials")
        }
    }

    #[test]
    fn headers_are_read_as_the_contract_says() {
        assert_eq!(read(&[("authorization", "Bearer gob_a")]), key("gob_a"));
        assert_eq!(read(&[("authorization", "bEARER    gob_a")]), key("gob_a"));
        assert_eq!(read(&[("x-api-key", "gob_a")]), key("gob_a"));
        assert_eq!(
            read(&[("authorization", "Basic x"), ("x-api-key", "gob_a")]),
            key("gob_a")
        );
        assert_eq!(
            read(&[("authorization", "Bearer bad"), ("x-api-key", "gob_a")]),
            key("bad")
        );
        assert_eq!(read(&[("authorization", "Bearer")]), Err(texts::TOKEN_EMPTY.into()));
        assert_eq!(
            read(&[("authorization", "Bearer a b")]),
            Err(texts::TOKEN_SPACES.into())
        );
        assert!(read(&[("authorization", "Bearer é")]).is_ok());
        for nothing in ["", "gob_a", "Basic x", "Token gob_a"] {
            assert_eq!(
                read(&[("authorization", nothing)]),
                Err(texts::NO_CREDENTIALS.into()),
                "{nothing}"
            );
        }
        assert_eq!(read(&[]), Err(texts::NO_CREDENTIALS.into()));
        assert_eq!(read(&[("x-api-key", "")]), Err(texts::NO_CREDENTIALS.into()));
    }

    #[test]
    fn secrets_differ_and_name_their_kind() {
        let (a, b) = (new_secret("gob_").unwrap(), new_secret("gob_").unwrap());
        assert!(a.starts_with("gob_") && a.len() == 4 + 43 && a != b, "{a}");
    }
}
