//! The request's body: how much of it is taken, as which type, in which encoding.

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use super::media_type::MediaType;
use crate::errors::ApiError;
use crate::json::{self, Value};

/// Bytes of an unwanted body that are read all the same.
const DRAIN_LIMIT: usize = 64 * 1024 * 1024;

/// Why a body cannot be had.
#[derive(Clone, Copy, Debug)]
enum Fault {
    TooLarge(usize),
    Lost(&'static str),
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge(limit) => Self::BodyTooLarge(limit),
            Fault::Lost(why) => Self::BodyLost(why.to_owned()),
        }
    }
}

/// A body on its way.
#[derive(Debug)]
pub struct Incoming {
    body: Body,
    /// All of it, or why there is none, once that was asked for: a request may be judged more than once.
    taken: Option<Result<Bytes, Fault>>,
    limit: usize,
    read: usize,
    deadline: Instant,
    /// The client waits for our consent before it sends.
    expects_consent: bool,
}

impl Incoming {
    /// Takes at most `limit` bytes until `deadline`.
    #[must_use]
    pub fn new(body: Body, headers: &HeaderMap, limit: usize, deadline: Instant) -> Self {
        Self {
            body,
            taken: None,
            limit,
            read: 0,
            deadline,
            expects_consent: headers.contains_key(EXPECT),
        }
    }

    /// Reads the body as JSON, and as the bytes that it was. None at all is an empty object, whatever its type.
    ///
    /// # Errors
    /// In this order: too large or never arrived, not declared as JSON, not JSON.
    pub async fn json(&mut self, headers: &HeaderMap) -> Result<(Value, Bytes), ApiError> {
        let taken = match self.taken.take() {
            Some(taken) => taken,
            None => self.whole().await,
        };
        self.taken = Some(taken.clone());
        let bytes = taken?;
        if bytes.is_empty() {
            return Ok((Value::Object(Vec::new()), bytes));
        }
        let sent: Vec<_> = headers
            .get_all(CONTENT_TYPE)
            .iter()
            .map(|line| latin1(line.as_bytes()))
            .collect();
        let sent = sent.join(",");
        let media_type = MediaType::parse(&sent);
        if !media_type.takes_json() {
            return Err(ApiError::UnsupportedMediaType(sent));
        }
        let text = decode(&bytes, media_type.parameter("charset"))?;
        let value = json::read(&text).map_err(|error| ApiError::NotJson(error.to_string()))?;
        Ok((value, bytes))
    }

    async fn whole(&mut self) -> Result<Bytes, Fault> {
        if self.body.size_hint().lower() > self.limit as u64 {
            return Err(Fault::TooLarge(self.limit));
        }
        let mut bytes = BytesMut::new();
        while let Some(frame) = self.frame().await? {
            if self.read > self.limit {
                return Err(Fault::TooLarge(self.limit));
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(bytes.freeze())
    }

    /// The next piece; `None` at the end.
    async fn frame(&mut self) -> Result<Option<Bytes>, Fault> {
        match timeout_at(self.deadline, self.body.frame()).await {
            Err(_) => Err(Fault::Lost("The request body did not arrive in time.")),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => Err(Fault::Lost("The request body broke off.")),
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                self.read += data.len();
                Ok(Some(data))
            }
        }
    }

    /// Reads on without keeping anything: a client that is still sending would otherwise lose an answer that did not
    /// need its body, because closing a connection with unread data resets it. Gives up at the deadline and beyond
    /// [`DRAIN_LIMIT`].
    pub async fn drain(mut self) {
        if self.expects_consent && self.read == 0 {
            return;
        }
        while self.read <= DRAIN_LIMIT && matches!(self.frame().await, Ok(Some(_))) {}
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The text in the encoding that its type names; one that we do not know counts as UTF-8.
fn decode(bytes: &[u8], charset: Option<&str>) -> Result<String, ApiError> {
    let name: String = charset.unwrap_or("utf-8").to_ascii_lowercase().replace(['_', ' '], "-");
    let wrong = |encoding: &str| ApiError::NotJson(format!("the body is not {encoding}"));
    match name.as_str() {
        "iso-8859-1" | "iso8859-1" | "latin-1" | "latin1" | "l1" | "cp819" | "8859" => Ok(latin1(bytes)),
        "us-ascii" | "ascii" | "646" if !bytes.is_ascii() => Err(wrong("ASCII")),
        "utf-16" | "utf16" | "u16" => match bytes {
            [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
            [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
            _ => utf16(bytes, u16::from_le_bytes),
        },
        "utf-16le" | "utf-16-le" => utf16(bytes, u16::from_le_bytes),
        "utf-16be" | "utf-16-be" => utf16(bytes, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).map_err(|_| wrong("valid UTF-8")),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ApiError> {
    let wrong = || ApiError::NotJson("the body is not valid UTF-16".to_owned());
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return Err(wrong());
    };
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_are_obeyed_and_unknown_ones_ignored() {
        assert_eq!(decode(b"\xe9", Some("ISO-8859-1")).unwrap(), "é");
        assert_eq!(decode("é".as_bytes(), Some("utf8")).unwrap(), "é");
        assert_eq!(decode("é".as_bytes(), Some("klingon")).unwrap(), "é");
        assert_eq!(decode(b"\xff\xfe{\0}\0", Some("utf-16")).unwrap(), "{}");
        assert!(decode(b"\xe9", None).is_err());
        assert!(decode(b"\xe9", Some("ascii")).is_err());
        assert!(decode(b"{", Some("utf-16")).is_err());
        assert!(decode(b"\xc0\x80", None).is_err());
    }
}
