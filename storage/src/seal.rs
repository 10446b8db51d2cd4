//! One value under its own data key, and that key under a cluster key: what fills [`model::Sealed`].
//!
//! ```text
//! wrapped = nonce(12) AES-256-GCM(cluster key, data key; associated data = header, 1, context) tag(16)
//! value   = nonce(12) AES-256-GCM(data key,    value;    associated data = header, 2, context) tag(16)
//! header  = "goblins sealed value", format(1 byte)
//! ```
//!
//! The data key and both nonces are drawn anew for each write, so no pair of key and nonce is ever used twice by
//! design, and two equal values look different. Nonces under a cluster key are random: NIST SP 800-38D allows 2^32
//! writes and re-wraps under one of them, after which it must be rotated.

pub(crate) mod aead;

use model::{KeyVersion, Sealed};
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

use aead::{Key, NONCE};

const DOMAIN: &[u8] = b"goblins sealed value";
const FORMAT: u8 = 1;

/// Why a value could not be sealed or opened. Never says anything of its content, nor of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The keyring waits for its passphrase.
    #[error("the keyring of this node is locked: run `goblins keyring unlock`")]
    Locked,
    /// The key that wraps this value is not in the keyring.
    #[error(
        "cluster key {0} is not in the keyring of this node: it has not reached this node yet, so try again; or it was \
         retired, or the value is of a backup of another time or cluster, so put that keyring back"
    )]
    UnknownKey(KeyVersion),
    /// The value was damaged or tampered with, or belongs elsewhere.
    #[error("a sealed value does not open: it was changed, or belongs to another item, key or version; set it again")]
    DoesNotOpen,
    /// AES-GCM stops at 64 GiB.
    #[error("the value is too long to be sealed")]
    TooLong,
    /// Without random numbers nothing can be sealed.
    #[error("the operating system gives no random numbers, so nothing can be sealed")]
    NoRandomness,
}

/// Says unambiguously what a sealed value belongs to: which kind of thing, and which one. Each part goes in with its
/// length (8 bytes, big endian) before it, so that no two lists of parts give the same context.
#[must_use]
pub fn seal_context(kind: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Vec::new();
    for part in std::iter::once(&kind.as_bytes()).chain(parts) {
        context.extend_from_slice(&(part.len() as u64).to_be_bytes());
        context.extend_from_slice(part);
    }
    context
}

/// The context of one version of a secret item's value: `item` is its id, `key` its name, `version` counts its values.
#[must_use]
pub fn secret_context(item: Uuid, key: &str, version: u32) -> Vec<u8> {
    seal_context(
        "secret item",
        &[item.as_bytes(), key.as_bytes(), &version.to_be_bytes()],
    )
}

/// What is drawn anew for each write. Only a test may choose it.
pub(crate) struct Draw {
    pub data_key: Key,
    pub wrap_nonce: [u8; NONCE],
    pub value_nonce: [u8; NONCE],
}

impl Draw {
    pub(crate) fn fresh() -> Result<Self, SealError> {
        Ok(Self {
            data_key: Key::random().ok_or(SealError::NoRandomness)?,
            wrap_nonce: aead::random().ok_or(SealError::NoRandomness)?,
            value_nonce: aead::random().ok_or(SealError::NoRandomness)?,
        })
    }
}

/// Seals a value under the cluster key `key`, whose version is `version`.
pub(crate) fn seal(
    version: KeyVersion,
    key: &Key,
    context: &[u8],
    plain: &[u8],
    draw: &Draw,
) -> Result<Sealed, SealError> {
    let wrapped = aead::seal(key, draw.wrap_nonce, &bound(Part::Key, context), draw.data_key.expose());
    let value = aead::seal(&draw.data_key, draw.value_nonce, &bound(Part::Value, context), plain);
    Ok(Sealed {
        key: version,
        wrapped: wrapped.ok_or(SealError::TooLong)?,
        value: value.ok_or(SealError::TooLong)?,
    })
}

/// Opens a value whose data key lies under `key`.
pub(crate) fn open(key: &Key, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let data_key = unwrap_key(key, context, &sealed.wrapped)?;
    aead::open(&data_key, &bound(Part::Value, context), &sealed.value).ok_or(SealError::DoesNotOpen)
}

/// Moves the data key from under `old` to under `new`; the value stays as it is.
pub(crate) fn rewrap(
    old: &Key,
    (version, new): (KeyVersion, &Key),
    context: &[u8],
    sealed: &Sealed,
    nonce: [u8; NONCE],
) -> Result<Sealed, SealError> {
    let data_key = unwrap_key(old, context, &sealed.wrapped)?;
    let wrapped = aead::seal(new, nonce, &bound(Part::Key, context), data_key.expose());
    Ok(Sealed {
        key: version,
        wrapped: wrapped.ok_or(SealError::TooLong)?,
        value: sealed.value.clone(),
    })
}

fn unwrap_key(key: &Key, context: &[u8], wrapped: &[u8]) -> Result<Key, SealError> {
    let data_key = aead::open(key, &bound(Part::Key, context), wrapped);
    data_key
        .and_then(|it| Key::from_slice(&it))
        .ok_or(SealError::DoesNotOpen)
}

/// Which half of a sealed value: one put in the other's place does not open.
#[derive(Clone, Copy)]
enum Part {
    Key = 1,
    Value = 2,
}

/// The associated data. Only the context varies in length, and it comes last.
fn bound(part: Part, context: &[u8]) -> Vec<u8> {
    [DOMAIN, &[FORMAT, part as u8], context].concat()
}

#[cfg(test)]
mod tests;
