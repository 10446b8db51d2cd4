//! A keyring on its way to another cluster: into a backup under a passphrase, and out of one, or of a node's file.

use model::{ClusterId, KeyVersion};
use zeroize::Zeroizing;

use super::bundle::Held;
use super::document::{self, BadDocument};
use super::lock::{Cost, Lock};
use super::ring::{Body, Ring};
use super::{KeyBundle, KeyringError};
use crate::seal::aead::{self, Key};

/// A keyring that was read, and may wait for its passphrase.
pub struct KeyDocument(Ring);

impl KeyBundle {
    /// The keys as a document under a passphrase, for a backup. The root from which subkeys are derived stays behind:
    /// it lies open in such a document, and whoever restores draws another one.
    pub fn to_document(&self, passphrase: &str) -> Result<Zeroizing<String>, KeyringError> {
        self.to_document_at_cost(passphrase, Cost::USUAL)
    }

    pub(super) fn to_document_at_cost(&self, passphrase: &str, cost: Cost) -> Result<Zeroizing<String>, KeyringError> {
        let (lock, lock_key) = Lock::make(passphrase, cost, self.cluster)?;
        let ring = Ring {
            root: Key::random().ok_or(KeyringError::NoRandomness)?,
            body: Body::Unlocked {
                keys: self.keys.clone(),
                lock,
                lock_key,
            },
            ..Ring::of_bundle(self)
        };
        let nonce = aead::random().ok_or(KeyringError::NoRandomness)?;
        document::print(&ring, nonce)
    }

    /// The same keys for a new cluster, with a root of its own, under this passphrase if there is one.
    pub fn for_cluster(&self, cluster: ClusterId, passphrase: Option<&str>) -> Result<Self, KeyringError> {
        let held = passphrase.map(|it| Lock::make(it, Cost::USUAL, cluster)).transpose()?;
        Ok(Self {
            cluster,
            root: Key::random().ok_or(KeyringError::NoRandomness)?,
            held: held.map(|(lock, lock_key)| Held { lock, lock_key }),
            ..self.clone()
        })
    }

    /// Which keys there are, in order.
    #[must_use]
    pub fn versions(&self) -> Vec<KeyVersion> {
        self.keys.keys().copied().collect()
    }

    /// The key that seals what is new.
    #[must_use]
    pub fn current(&self) -> KeyVersion {
        self.current
    }
}

impl KeyDocument {
    /// Reads a document of this cluster: one of [`KeyBundle::to_document`], or the `keyring` file of a node.
    pub fn read(bytes: &[u8], cluster: ClusterId) -> Result<Self, KeyringError> {
        match document::parse(bytes, cluster) {
            Ok(ring) => Ok(Self(ring)),
            Err(BadDocument::OtherCluster(found)) => Err(KeyringError::OtherCluster {
                found,
                expected: cluster,
            }),
            Err(BadDocument::Newer { .. } | BadDocument::Damaged(_)) => Err(KeyringError::BadBundle),
        }
    }

    /// Whether it waits for its passphrase.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.keys().is_none()
    }

    /// The keys in it. `None` under a wrong passphrase; one that is not locked needs none.
    pub fn open(self, passphrase: Option<&str>) -> Result<Option<KeyBundle>, KeyringError> {
        let Some(lock) = self.0.lock().filter(|_| self.is_locked()) else {
            return Ok(self.0.bundle());
        };
        let passphrase = passphrase.ok_or(KeyringError::Locked)?;
        match lock.open(passphrase, self.0.cluster)? {
            Some(lock_key) => Ok(self.0.unlocked(lock_key)?.bundle()),
            None => Ok(None),
        }
    }
}
