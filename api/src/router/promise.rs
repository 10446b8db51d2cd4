//! Idempotency keys: the same key with the same request gives the first answer again, on whichever node.

use http::HeaderMap;
use model::{AccountId, Fingerprint, OperationId};
use ring::digest::{Context, SHA256};

use super::call::{Call, Terms};
use crate::errors::{ApiError, FieldErrors};
use crate::texts;

const HEADER: &str = "idempotency-key";
/// Characters of a key at most.
const KEY_MAX: usize = 255;

/// The terms of a POST, as its idempotency key asks for if it has one: the operation's id follows from key and account,
/// the fingerprint from method, path and body.
///
/// # Errors
/// A key that is empty, too long or no text.
pub fn terms(call: &Call<'_>, body: &[u8]) -> Result<Terms, ApiError> {
    let Some(key) = key(&call.parts.headers)? else {
        return Ok(call.terms());
    };
    let path = call.parts.uri.path().as_bytes();
    let asked = digest(&[call.method().as_bytes(), path, body]);
    Ok(Terms {
        operation: operation(call.asker.account.id, key),
        expect: None,
        fingerprint: Some(Fingerprint(asked)),
    })
}

fn key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=KEY_MAX).contains(&key.len()) => Ok(Some(key)),
        _ => Err(FieldErrors::one("Idempotency-Key", texts::BAD_IDEMPOTENCY_KEY).into()),
    }
}

fn operation(account: AccountId, key: &str) -> OperationId {
    let hash = digest(&[b"idempotency key", account.0.as_bytes(), key.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    OperationId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// SHA-256 over parts of any length, each with its length, so that none runs into the next.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
