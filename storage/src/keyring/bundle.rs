//! What one node hands another, over an encrypted connection only: all keys, and the lock with the key that opens it.

use std::collections::BTreeSet;
use std::fmt;

use model::{ClusterId, KeyVersion};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::KeyringError;
use super::lock::Lock;
use super::ring::{Keys, Ring};
use crate::codec;
use crate::seal::aead::{KEY, Key};

/// Roughly what a bundle takes without its keys, and each of them: for buffers that are not to be moved and left behind.
const BASE: usize = 1024;
const EACH: usize = KEY + 16;

/// The whole keyring of a cluster: a node that joins is given one, and a node that missed a change takes one in.
///
/// Whoever holds one holds every secret of the cluster. It is wiped when dropped.
#[derive(Clone)]
pub struct KeyBundle {
    pub(super) cluster: ClusterId,
    pub(super) current: KeyVersion,
    pub(super) keys: Keys,
    pub(super) retired: BTreeSet<KeyVersion>,
    pub(super) root: Key,
    pub(super) lock_generation: u64,
    pub(super) held: Option<Held>,
}

/// A lock and the key that is under it: enough to keep a file locked, without the passphrase.
#[derive(Clone)]
pub(super) struct Held {
    pub lock: Lock,
    pub lock_key: Key,
}

impl KeyBundle {
    /// The first keyring of a new cluster: one key and a root, both drawn now.
    pub fn generate(cluster: ClusterId) -> Result<Self, KeyringError> {
        let first = Key::random().ok_or(KeyringError::NoRandomness)?;
        Ok(Self {
            cluster,
            current: KeyVersion(1),
            keys: Keys::from([(KeyVersion(1), first)]),
            retired: BTreeSet::new(),
            root: Key::random().ok_or(KeyringError::NoRandomness)?,
            lock_generation: 0,
            held: None,
        })
    }

    /// The keyring of a cluster from the time when it had one key and nothing else.
    #[must_use]
    pub fn of_one_key(cluster: ClusterId, key: &[u8; KEY]) -> Self {
        let ring = Ring::of_one_key(cluster, &Key::new(key));
        Self {
            cluster,
            current: ring.current,
            keys: ring.keys().cloned().unwrap_or_default(),
            retired: ring.retired,
            root: ring.root,
            lock_generation: 0,
            held: None,
        }
    }

    /// Whose keys these are.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// To be sent. The bytes are as secret as the keys.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let wire = Wire::V1(WireV1 {
            cluster: self.cluster,
            current: self.current,
            keys: self
                .keys
                .iter()
                .map(|(version, key)| (*version, *key.expose()))
                .collect(),
            retired: self.retired.iter().copied().collect(),
            root: *self.root.expose(),
            lock_generation: self.lock_generation,
            held: self.held.as_ref().map(|it| (it.lock.clone(), *it.lock_key.expose())),
        });
        codec::encode_wiped(&wire, BASE + EACH * self.keys.len()).map_err(|_| KeyringError::BadBundle)
    }

    /// What was sent. Anything else is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyringError> {
        let Wire::V1(wire) = &codec::decode(bytes).map_err(|_| KeyringError::BadBundle)?;
        let bundle = Self {
            cluster: wire.cluster,
            current: wire.current,
            keys: wire
                .keys
                .iter()
                .map(|(version, key)| (*version, Key::new(key)))
                .collect(),
            retired: wire.retired.iter().copied().collect(),
            root: Key::new(&wire.root),
            lock_generation: wire.lock_generation,
            held: wire.held.as_ref().map(|(lock, lock_key)| Held {
                lock: lock.clone(),
                lock_key: Key::new(lock_key),
            }),
        };
        let is_sane = bundle.keys.contains_key(&bundle.current)
            && !bundle.keys.contains_key(&KeyVersion(0))
            && bundle.keys.len() == wire.keys.len()
            && bundle.retired.iter().all(|it| !bundle.keys.contains_key(it))
            && bundle.held.as_ref().is_none_or(|it| it.lock.is_sane());
        is_sane.then_some(bundle).ok_or(KeyringError::BadBundle)
    }
}

impl fmt::Debug for KeyBundle {
    /// Without any key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBundle")
            .field("cluster", &self.cluster)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// As it is sent. bincode names a variant by its place, so new ones go to the end.
#[derive(Serialize, Deserialize)]
enum Wire {
    V1(WireV1),
}

#[derive(Serialize, Deserialize)]
struct WireV1 {
    cluster: ClusterId,
    current: KeyVersion,
    keys: Vec<(KeyVersion, [u8; KEY])>,
    retired: Vec<KeyVersion>,
    root: [u8; KEY],
    lock_generation: u64,
    held: Option<(Lock, [u8; KEY])>,
}

impl Drop for WireV1 {
    fn drop(&mut self) {
        self.keys.iter_mut().for_each(|(_, key)| key.zeroize());
        self.root.zeroize();
        if let Some((_, lock_key)) = &mut self.held {
            lock_key.zeroize();
        }
    }
}
