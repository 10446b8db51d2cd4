//! What a sealed value looks like. Nothing here can open one: the keys are with `storage`, and never in the state.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Counts the cluster's keys, 1 for the first. A value names the key that wraps its data key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyVersion(pub u32);

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value under its own data key, and that key under a cluster key: envelope encryption with AES-256-GCM (NIST
/// SP 800-38D). Both carry what they belong to as associated data, so that a value put elsewhere does not open.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which cluster key wraps the data key. The only part that a rotation changes, with `wrapped`.
    pub key: KeyVersion,
    /// Nonce (12 bytes), the encrypted data key (32) and its tag (16).
    pub wrapped: Vec<u8>,
    /// Nonce (12 bytes), the encrypted value and its tag (16).
    pub value: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(key {}, {} bytes)", self.key, self.value.len())
    }
}
