//! AES-256-GCM of ring, and keys for it that are wiped when they are dropped.

use std::fmt;
use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY: usize = 32;
/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;
/// Bytes of a key under another, with nonce and tag.
pub(crate) const WRAPPED: usize = NONCE + KEY + TAG;

/// A key, in one place on the heap however often the handle is cloned.
#[derive(Clone)]
pub(crate) struct Key(Arc<SecretBox<[u8; KEY]>>);

impl Key {
    /// A new one; `None` when the operating system gives no random numbers.
    pub(crate) fn random() -> Option<Self> {
        let mut filled = false;
        let key = SecretBox::init_with_mut(|key: &mut [u8; KEY]| filled = SystemRandom::new().fill(key).is_ok());
        filled.then(|| Self(Arc::new(key)))
    }

    pub(crate) fn new(bytes: &[u8; KEY]) -> Self {
        Self::fill(|key| key.copy_from_slice(bytes))
    }

    /// `None` when there are not as many bytes as a key has.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <&[u8; KEY]>::try_from(bytes).ok().map(Self::new)
    }

    /// `None` when these are not hex digits of a key.
    pub(crate) fn from_hex(digits: &str) -> Option<Self> {
        let mut decoded = false;
        let key = SecretBox::init_with_mut(|key: &mut [u8; KEY]| {
            decoded = hex::decode_to_slice(digits, key).is_ok();
        });
        decoded.then(|| Self(Arc::new(key)))
    }

    /// Written straight to its place.
    pub(crate) fn fill(write: impl FnOnce(&mut [u8; KEY])) -> Self {
        Self(Arc::new(SecretBox::init_with_mut(write)))
    }

    pub(crate) fn expose(&self) -> &[u8; KEY] {
        self.0.expose_secret()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}

/// Random bytes; `None` when the operating system gives none.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Nonce, ciphertext, tag. `None` only when the text is longer than the algorithm allows.
pub(crate) fn seal(key: &Key, nonce: [u8; NONCE], bound: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    // Encrypted where it was copied to, so that no copy is left.
    let mut out = Vec::with_capacity(NONCE + plain.len() + TAG);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let tag = cipher(key)?.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(bound),
        &mut out[NONCE..],
    );
    match tag {
        Ok(tag) => {
            out.extend_from_slice(tag.as_ref());
            Some(out)
        }
        Err(_) => {
            drop(Zeroizing::new(out));
            None
        }
    }
}

/// What [`seal`] sealed. `None` when it is anything else, or bound to anything else.
pub(crate) fn open(key: &Key, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
    let mut buffer = Zeroizing::new(text.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = cipher(key)?
        .open_in_place(nonce, Aad::from(bound), &mut buffer)
        .ok()?
        .len();
    buffer.truncate(length);
    Some(buffer)
}

/// Made for each use: ring does not wipe what it expands a key to, so it should not live longer than that.
fn cipher(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.expose()).ok().map(LessSafeKey::new)
}
