//! The cluster's keys: what seals and opens secrets on this node, and the passphrase that guards them at rest.
//!
//! ```text
//! passphrase --argon2id--> opens --> lock key --> opens --> cluster keys (by version) --> data keys --> values
//!                                                                                        in the replicated state
//! ```
//!
//! The keys never enter the log, the state or a snapshot: they lie in the data folder's `keyring` file, in the open or
//! under the passphrase, and pass between nodes only as a [`KeyBundle`].

mod attempts;
mod backup;
mod bundle;
mod change;
mod document;
mod error;
mod file;
mod lock;
mod ring;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use model::{ClusterId, KeyVersion, Sealed};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::DataDirError;
use crate::seal::{self, Draw, SealError, aead};
use attempts::Attempts;
pub use backup::KeyDocument;
pub use bundle::KeyBundle;
pub use error::KeyringError;
use ring::Ring;

/// A handle to the keyring of this node; clones share it. Every change is on the disk before it is answered.
///
/// What touches a passphrase takes a good part of a second and 64 MiB: call it where blocking is allowed.
#[derive(Clone)]
pub struct Keyring(Arc<Shared>);

struct Shared {
    path: PathBuf,
    ring: RwLock<Arc<Ring>>,
    /// Held while a change is worked out and written, so that changes follow each other.
    changing: Mutex<()>,
    /// Held while a passphrase is checked, so that attempts cannot run beside each other.
    attempts: Mutex<Attempts>,
}

/// What can be told of a keyring, locked or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringStatus {
    /// Which keys there are, in order.
    pub versions: Vec<KeyVersion>,
    /// The one that new values are sealed under.
    pub current: KeyVersion,
    /// Which ones were given up, in order.
    pub retired: Vec<KeyVersion>,
    /// Whether it waits for its passphrase.
    pub locked: bool,
    /// Whether it has one, and so will wait for it after a restart.
    pub autolock: bool,
    /// Tells its lock from every other one, so that nodes can see whether they have the same passphrase; `None`: there is
    /// none. It is the lock's salt, and tells nothing of the passphrase.
    pub lock: Option<Uuid>,
    /// Counts the changes of the passphrase, also its removal: of two nodes, the one with more has the newer one.
    pub lock_generation: u64,
}

/// How to take in the keys of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// Add what is missing; take the higher current version and the newer lock. Nothing is dropped, and what was
    /// retired here does not come back. A locked keyring refuses.
    Add,
    /// Like `Add`, and opens a locked keyring, if the offered keys cover all of it: for the operator who unlocks several
    /// nodes from one, and for nobody else.
    Unlock,
    /// Have exactly the offered keys, current version and lock from now on, open in memory.
    Replace,
}

impl Keyring {
    /// Reads the keyring of a node of `cluster`. One that is under a passphrase comes up locked.
    pub fn load(path: &Path, cluster: ClusterId) -> Result<Self, DataDirError> {
        file::read(path, cluster).map(|ring| Self::of(path, ring))
    }

    /// Makes the keyring of a new node of `cluster`, or takes the place of one whose node was never finished.
    pub fn create(path: &Path, cluster: ClusterId, bundle: &KeyBundle) -> Result<Self, KeyringError> {
        if bundle.cluster() != cluster {
            return Err(KeyringError::OtherCluster {
                found: bundle.cluster(),
                expected: cluster,
            });
        }
        let ring = Ring::of_bundle(bundle);
        file::write(path, &ring)?;
        Ok(Self::of(path, ring))
    }

    fn of(path: &Path, ring: Ring) -> Self {
        Self(Arc::new(Shared {
            path: path.to_owned(),
            ring: RwLock::new(Arc::new(ring)),
            changing: Mutex::default(),
            attempts: Mutex::default(),
        }))
    }

    /// Seals a value under the current key. `context` says what it belongs to (see [`seal_context`](crate::seal_context)
    /// and [`secret_context`](crate::secret_context)); the same has to be given to open it.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
        let ring = self.ring();
        let key = key(&ring, ring.current)?;
        seal::seal(ring.current, key, context, plain, &Draw::fresh()?)
    }

    /// Opens what [`seal`](Self::seal) sealed, on any node of the cluster. The result is wiped when dropped.
    pub fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let ring = self.ring();
        seal::open(key(&ring, sealed.key)?, context, sealed)
    }

    /// The same value with its data key under the current key; `None` if it is there already. The value's own bytes stay
    /// the same, and are not opened.
    pub fn rewrap(&self, context: &[u8], sealed: &Sealed) -> Result<Option<Sealed>, SealError> {
        self.rewrap_to(self.ring().current, context, sealed)
    }

    /// Like [`rewrap`](Self::rewrap), under a key that need not be the current one.
    pub fn rewrap_to(&self, version: KeyVersion, context: &[u8], sealed: &Sealed) -> Result<Option<Sealed>, SealError> {
        let ring = self.ring();
        let old = key(&ring, sealed.key)?;
        if sealed.key == version {
            return Ok(None);
        }
        let new = (version, key(&ring, version)?);
        let nonce = aead::random().ok_or(SealError::NoRandomness)?;
        seal::rewrap(old, new, context, sealed, nonce).map(Some)
    }

    /// The same on two nodes only if they have the same key under this version. Tells nothing else of the key.
    pub fn fingerprint(&self, version: KeyVersion) -> Result<[u8; 32], SealError> {
        let ring = self.ring();
        Ok(ring::derive_from(
            key(&ring, version)?,
            "fingerprint of a cluster key, version 1",
            &[],
        ))
    }

    /// A subkey of the cluster, the same on all nodes, after every rotation, and also while the keyring is locked: a
    /// node that waits for its passphrase goes on serving. Therefore its root lies open in the file, and it may prove
    /// that a node is of this cluster, but must never protect a secret. Purposes are texts of the code, each with a
    /// version.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        self.ring().derive(purpose)
    }

    /// 32 bytes that only a node with the current cluster key can compute, the same on all of them until the next
    /// rotation. Unlike what [`derive`](Self::derive) gives, they may protect a secret.
    pub fn derive_secret(&self, purpose: &str, input: &[u8]) -> Result<[u8; 32], SealError> {
        let ring = self.ring();
        Ok(ring::derive_from(key(&ring, ring.current)?, purpose, input))
    }

    /// What can be told of it.
    #[must_use]
    pub fn status(&self) -> KeyringStatus {
        self.ring().status()
    }

    /// Whether it waits for its passphrase.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.ring().keys().is_none()
    }

    fn ring(&self) -> Arc<Ring> {
        // A panic elsewhere cannot leave half a keyring: it is replaced whole.
        self.0.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn key(ring: &Ring, version: KeyVersion) -> Result<&aead::Key, SealError> {
    let keys = ring.keys().ok_or(SealError::Locked)?;
    keys.get(&version).ok_or(SealError::UnknownKey(version))
}

impl fmt::Debug for Keyring {
    /// Without any key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        f.debug_struct("Keyring")
            .field("versions", &status.versions)
            .field("current", &status.current)
            .field("locked", &status.locked)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
