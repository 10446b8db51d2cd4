//! Idempotency keys: the same key with the same request gives the first answer again, on whichever node.

use http::HeaderMap;
use http::header::IF_MATCH;
use model::{AccountId, Fingerprint, OperationId, Outcome, Rejection, State};
use ring::digest::{Context, SHA256};

use super::call::{Call, Terms};
use crate::errors::{ApiError, FieldErrors};
use crate::texts;

const HEADER: &str = "idempotency-key";
/// Characters of a key at most.
const KEY_MAX: usize = 255;
/// How often a change is tried that others get in the way of.
pub const ATTEMPTS: usize = 5;

/// The terms of a write, as its idempotency key asks for if it has one: the operation's id follows from key and account,
/// the fingerprint from method, path, condition and body.
///
/// # Errors
/// A key that is empty, too long or no text.
pub fn terms(call: &Call<'_>, body: &[u8]) -> Result<Terms, ApiError> {
    let Some(key) = key(&call.parts.headers)? else {
        return Ok(call.terms());
    };
    let path = call.parts.uri.path().as_bytes();
    let condition = call.parts.headers.get(IF_MATCH).map_or(&b""[..], |it| it.as_bytes());
    let asked = digest(&[call.method().as_bytes(), path, condition, body]);
    Ok(Terms {
        operation: operation(call.asker.account.id, key),
        expect: None,
        source: None,
        fingerprint: Some(Fingerprint(asked)),
    })
}

/// Whether something was done already under the request's key.
pub fn is_known(call: &Call<'_>) -> bool {
    let key = key(&call.parts.headers).ok().flatten();
    key.is_some_and(|key| call.state.operation(operation(call.asker.account.id, key)).is_some())
}

/// The result of the request if it was made before under the same key.
///
/// # Errors
/// The refusal it met then, or that the key was used for another request.
pub fn kept(state: &State, terms: &Terms) -> Result<Option<Outcome>, ApiError> {
    for number in 0..ATTEMPTS {
        let Some(before) = state.operation(attempt(terms.operation, number)) else {
            return Ok(None);
        };
        if before.fingerprint != terms.fingerprint {
            return Err(ApiError::Rejected(Rejection::IdempotencyKeyReused));
        }
        match &before.result {
            // Tried again at once, under the next id.
            Err(Rejection::Stale) if number + 1 < ATTEMPTS => {}
            result => return result.clone().map(Some).map_err(ApiError::Rejected),
        }
    }
    Ok(None)
}

/// Under which id a change is proposed the `number`th time, from 0. A refusal is the answer of its operation for good, so
/// that each attempt needs one of its own; all follow from the first, so that whoever repeats the request finds them.
pub fn attempt(first: OperationId, number: usize) -> OperationId {
    match number {
        0 => first,
        _ => id(digest(&[b"attempt", first.0.as_bytes(), &number.to_le_bytes()])),
    }
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
    id(digest(&[b"idempotency key", account.0.as_bytes(), key.as_bytes()]))
}

fn id(hash: [u8; 32]) -> OperationId {
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
