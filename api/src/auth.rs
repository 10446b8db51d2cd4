//! Who asks.

pub mod login;
pub mod password;
mod touches;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, Method};
use model::{Account, ApiKeyId, Credential, Scope, Session, State, Timestamp};
use subtle::ConstantTimeEq as _;

pub use self::touches::Touches;
use crate::errors::ApiError;
use crate::texts;

/// The cookie of the web interface's session.
pub const SESSION_COOKIE: &str = "sessionid";
/// The cookie whose value unsafe requests repeat in a header.
pub const CSRF_COOKIE: &str = "csrftoken";
const CSRF_HEADER: &str = "x-csrftoken";

/// What a client shows to prove who it is. Keys are looked up by their hash, which tells nothing of a key that is nearly
/// right.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// An API key's hash.
    Key([u8; 32]),
    /// A session cookie's hash.
    Session([u8; 32]),
}

/// Who asks, and what the key allows.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Whose key or session it is.
    pub account: Account,
    /// What it may be used for.
    pub scope: Scope,
    /// How it was proven.
    pub proof: Proof,
}

/// How somebody has proven who they are.
#[derive(Clone, Debug)]
pub enum Proof {
    /// With this key.
    Key(ApiKeyId),
    /// With this session.
    Session(Box<Session>),
}

impl Proof {
    /// What commands say of it.
    pub fn credential(&self) -> Credential {
        match self {
            Self::Key(key) => Credential::Key(*key),
            Self::Session(session) => Credential::Session(session.id),
        }
    }
}

/// SHA-256 of a key or token as clients send it.
#[must_use]
pub fn hash(key: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, key).as_ref());
    out
}

/// Reads the credentials of a request: a Bearer token, else an `X-API-Key`, else a session cookie. Other schemes and
/// empty headers count as nothing.
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
            (Some(key), None) => Ok(Credentials::Key(hash(key))),
        };
    }
    let key = headers.get("x-api-key").map(|key| key.as_bytes().trim_ascii());
    if let Some(key) = key.filter(|it| !it.is_empty()) {
        return Ok(Credentials::Key(hash(key)));
    }
    match cookie(headers, SESSION_COOKIE) {
        Some(session) => Ok(Credentials::Session(hash(session.as_bytes()))),
        None => Err(ApiError::Unauthenticated(texts::NO_CREDENTIALS)),
    }
}

/// Looks the credentials up.
///
/// # Errors
/// [`ApiError::Unauthenticated`] for an unknown, expired or revoked key. An unknown or ended session is as if nothing
/// had been sent.
pub fn identify(credentials: &Credentials, state: &State, now: Timestamp) -> Result<Asker, ApiError> {
    let (found, otherwise) = match credentials {
        Credentials::Key(hash) => (by_key(hash, state, now), texts::INVALID_TOKEN),
        Credentials::Session(hash) => (by_session(hash, state, now), texts::NO_CREDENTIALS),
    };
    found.ok_or(ApiError::Unauthenticated(otherwise))
}

fn by_key(hash: &[u8; 32], state: &State, now: Timestamp) -> Option<Asker> {
    let key = state
        .api_key_by_hash(hash)
        .filter(|key| key.expires_at.is_none_or(|end| now < end))?;
    Some(Asker {
        account: state.account(key.account)?.clone(),
        scope: key.scope,
        proof: Proof::Key(key.id),
    })
}

fn by_session(hash: &[u8; 32], state: &State, now: Timestamp) -> Option<Asker> {
    let session = state.session_by_hash(hash).filter(|it| now < it.expires_at)?;
    Some(Asker {
        account: state.account(session.account)?.clone(),
        scope: Scope::Full,
        proof: Proof::Session(Box::new(session.clone())),
    })
}

/// Browsers send cookies along with requests that other sites make: an unsafe one must repeat a token that those cannot
/// read.
///
/// # Errors
/// [`ApiError::CsrfFailed`] if a session's unsafe request does not.
pub fn check_csrf(asker: &Asker, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let Proof::Session(session) = &asker.proof else {
        return Ok(());
    };
    if is_safe(method) {
        return Ok(());
    }
    if cookie(headers, CSRF_COOKIE).is_none() {
        return Err(ApiError::CsrfFailed(texts::CSRF_NO_COOKIE));
    }
    let Some(sent) = headers.get(CSRF_HEADER).filter(|it| !it.is_empty()) else {
        return Err(ApiError::CsrfFailed(texts::CSRF_NO_TOKEN));
    };
    if hash(sent.as_bytes()).ct_eq(&session.csrf_hash).into() {
        Ok(())
    } else {
        Err(ApiError::CsrfFailed(texts::CSRF_WRONG_TOKEN))
    }
}

/// Whether a method changes nothing (RFC 9110, section 9.2.1).
pub fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// The value of a cookie, if it is sent and not empty.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(cookie::Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|it| it.name() == name && !it.value().is_empty())
        .map(|it| it.value().to_owned())
}

/// A secret that cannot be guessed: `prefix` and 256 random bits.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_secret(prefix: &str) -> Result<String, ApiError> {
    Ok(secret_of(prefix, &random_bits()?))
}

/// 256 random bits.
///
/// # Errors
/// When the system gives no randomness.
pub fn random_bits() -> Result<[u8; 32], ApiError> {
    use ring::rand::SecureRandom as _;

    let mut bytes = [0; 32];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ApiError::Internal("the system gives no randomness".to_owned()))?;
    Ok(bytes)
}

/// The text of a secret with these bits.
#[must_use]
pub fn secret_of(prefix: &str, bits: &[u8; 32]) -> String {
    use base64::Engine as _;
    format!(
        "{prefix}{}",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bits)
    )
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
        Ok(Credentials::Key(hash(text.as_bytes())))
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
    fn a_session_cookie_counts_where_no_key_is_sent() {
        let session = |text: &str| Ok(Credentials::Session(hash(text.as_bytes())));
        assert_eq!(read(&[("cookie", "a=b; sessionid=xyz; csrftoken=t")]), session("xyz"));
        assert_eq!(
            read(&[("cookie", "sessionid=xyz"), ("x-api-key", "gob_a")]),
            key("gob_a")
        );
        for nothing in ["", "sessionid=", "sessionid", "other=xyz"] {
            assert_eq!(
                read(&[("cookie", nothing)]),
                Err(texts::NO_CREDENTIALS.into()),
                "{nothing}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_breaks_the_reading_of_credentials(bytes in proptest::collection::vec(0x20_u8..=0xff, 0..80)) {
            for name in ["authorization", "x-api-key", "cookie"] {
                let Ok(value) = http::HeaderValue::from_bytes(&bytes) else { continue };
                let mut headers = HeaderMap::new();
                headers.insert(name, value);
                let _ = credentials(&headers);
                let _ = crate::request::negotiate(&headers);
            }
        }
    }

    #[test]
    fn secrets_differ_and_name_their_kind() {
        let (a, b) = (new_secret("gob_").unwrap(), new_secret("gob_").unwrap());
        assert!(a.starts_with("gob_") && a.len() == 4 + 43 && a != b, "{a}");
    }
}
