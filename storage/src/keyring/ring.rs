//! What a keyring knows, and every change of it as a pure function. Nothing here touches a disk.

use std::collections::{BTreeMap, BTreeSet};

use model::{ClusterId, KeyVersion};
use ring::hmac;
use zeroize::Zeroizing;

use super::bundle::{Held, KeyBundle};
use super::lock::Lock;
use super::{Import, KeyringError, KeyringStatus};
use crate::seal::aead::{KEY, Key};

/// The cluster's keys by their versions.
pub(super) type Keys = BTreeMap<KeyVersion, Key>;

/// The contents of a keyring.
#[derive(Clone)]
pub(super) struct Ring {
    pub cluster: ClusterId,
    /// New values are sealed under this one.
    pub current: KeyVersion,
    /// Versions that were given up; they never come back from a peer that has not heard of it.
    pub retired: BTreeSet<KeyVersion>,
    /// Subkeys are derived from it. Not changed by rotation, not under the lock.
    pub root: Key,
    /// Counts the changes of the passphrase, so that of two nodes the later one is known.
    pub lock_generation: u64,
    pub body: Body,
}

/// The part that a passphrase protects.
#[derive(Clone)]
pub(super) enum Body {
    /// No passphrase is set: the keys lie open in the file.
    Plain(Keys),
    /// A passphrase is set and was given since the start.
    Unlocked { keys: Keys, lock: Lock, lock_key: Key },
    /// A passphrase is set and awaited.
    Locked {
        versions: BTreeSet<KeyVersion>,
        lock: Lock,
        sealed: Vec<u8>,
    },
}

/// HMAC-SHA-256 under a cluster key, over the purpose and its input.
pub(super) fn derive_from(key: &Key, purpose: &str, input: &[u8]) -> [u8; KEY] {
    let purpose = hash(
        key,
        b"goblins secret of the cluster key, version 1:",
        purpose.as_bytes(),
    );
    *hash(&purpose, b"", input).expose()
}

impl Ring {
    /// A keyring with one key, from the time before there were versions. All nodes of its cluster have that key and
    /// nothing else, so the root comes from it.
    pub(super) fn of_one_key(cluster: ClusterId, key: &Key) -> Self {
        Self {
            cluster,
            current: KeyVersion(1),
            retired: BTreeSet::new(),
            root: hash(key, b"goblins keyring root of a single key, version 1", b""),
            lock_generation: 0,
            body: Body::Plain(Keys::from([(KeyVersion(1), key.clone())])),
        }
    }

    /// The keys, unless they are locked.
    pub(super) fn keys(&self) -> Option<&Keys> {
        match &self.body {
            Body::Plain(keys) | Body::Unlocked { keys, .. } => Some(keys),
            Body::Locked { .. } => None,
        }
    }

    pub(super) fn lock(&self) -> Option<&Lock> {
        match &self.body {
            Body::Plain(_) => None,
            Body::Unlocked { lock, .. } | Body::Locked { lock, .. } => Some(lock),
        }
    }

    pub(super) fn versions(&self) -> BTreeSet<KeyVersion> {
        match &self.body {
            Body::Plain(keys) | Body::Unlocked { keys, .. } => keys.keys().copied().collect(),
            Body::Locked { versions, .. } => versions.clone(),
        }
    }

    pub(super) fn status(&self) -> KeyringStatus {
        KeyringStatus {
            versions: self.versions().into_iter().collect(),
            current: self.current,
            retired: self.retired.iter().copied().collect(),
            locked: self.keys().is_none(),
            autolock: self.lock().is_some(),
            lock: self.lock().map(Lock::id),
            lock_generation: self.lock_generation,
        }
    }

    /// A subkey for one purpose: HMAC-SHA-256 of it under the root.
    pub(super) fn derive(&self, purpose: &str) -> Zeroizing<[u8; KEY]> {
        let key = hash(&self.root, b"goblins derived key, version 1:", purpose.as_bytes());
        Zeroizing::new(*key.expose())
    }

    /// `None` when it has that key already.
    pub(super) fn with_key(&self, version: KeyVersion, key: &Key) -> Result<Option<Self>, KeyringError> {
        let keys = self.keys().ok_or(KeyringError::Locked)?;
        match keys.get(&version) {
            Some(known) if known == key => return Ok(None),
            Some(_) => return Err(KeyringError::Conflict(version)),
            None if version.0 == 0 || self.retired.contains(&version) => {
                return Err(KeyringError::BadVersion(version));
            }
            None => {}
        }
        let mut keys = keys.clone();
        keys.insert(version, key.clone());
        Ok(Some(self.with_keys(keys)))
    }

    /// `None` when it is the current one already.
    pub(super) fn with_current(&self, version: KeyVersion) -> Result<Option<Self>, KeyringError> {
        let keys = self.keys().ok_or(KeyringError::Locked)?;
        if !keys.contains_key(&version) {
            return Err(KeyringError::UnknownKey(version));
        }
        let changed = Self {
            current: version,
            ..self.clone()
        };
        Ok((self.current != version).then_some(changed))
    }

    /// `None` when it was retired already.
    pub(super) fn without_key(&self, version: KeyVersion) -> Result<Option<Self>, KeyringError> {
        let keys = self.keys().ok_or(KeyringError::Locked)?;
        if version == self.current {
            return Err(KeyringError::InUse(version));
        }
        if !keys.contains_key(&version) {
            return match self.retired.contains(&version) {
                true => Ok(None),
                false => Err(KeyringError::UnknownKey(version)),
            };
        }
        let mut keys = keys.clone();
        keys.remove(&version);
        let mut changed = self.with_keys(keys);
        changed.retired.insert(version);
        Ok(Some(changed))
    }

    /// Under this lock from now on.
    pub(super) fn locked_by(&self, lock: Lock, lock_key: Key) -> Result<Self, KeyringError> {
        let keys = self.keys().ok_or(KeyringError::Locked)?.clone();
        Ok(Self {
            lock_generation: self.lock_generation.saturating_add(1),
            body: Body::Unlocked { keys, lock, lock_key },
            ..self.clone()
        })
    }

    /// Under no lock any more.
    pub(super) fn without_lock(&self) -> Result<Self, KeyringError> {
        let keys = self.keys().ok_or(KeyringError::Locked)?.clone();
        Ok(Self {
            lock_generation: self.lock_generation.saturating_add(1),
            body: Body::Plain(keys),
            ..self.clone()
        })
    }

    /// What another node is given; `None` when it is locked.
    pub(super) fn bundle(&self) -> Option<KeyBundle> {
        let (keys, held) = match &self.body {
            Body::Plain(keys) => (keys, None),
            Body::Unlocked { keys, lock, lock_key } => (
                keys,
                Some(Held {
                    lock: lock.clone(),
                    lock_key: lock_key.clone(),
                }),
            ),
            Body::Locked { .. } => return None,
        };
        Some(KeyBundle {
            cluster: self.cluster,
            current: self.current,
            keys: keys.clone(),
            retired: self.retired.clone(),
            root: self.root.clone(),
            lock_generation: self.lock_generation,
            held,
        })
    }

    /// The keyring that a bundle makes where there was none.
    pub(super) fn of_bundle(bundle: &KeyBundle) -> Self {
        Self {
            cluster: bundle.cluster,
            current: bundle.current,
            retired: bundle.retired.clone(),
            root: bundle.root.clone(),
            lock_generation: bundle.lock_generation,
            body: body(bundle.keys.clone(), bundle.held.clone()),
        }
    }

    /// What it is after a bundle was taken in.
    pub(super) fn import(&self, bundle: &KeyBundle, import: Import) -> Result<Self, KeyringError> {
        if bundle.cluster != self.cluster {
            return Err(KeyringError::OtherCluster {
                found: bundle.cluster,
                expected: self.cluster,
            });
        }
        if import == Import::Replace {
            return Ok(Self::of_bundle(bundle));
        }
        if bundle.root != self.root {
            return Err(KeyringError::OtherRoot);
        }
        let own = self.versions();
        let mut keys = match self.keys() {
            Some(keys) => keys.clone(),
            None if import == Import::Add => return Err(KeyringError::Locked),
            // What cannot be read must all be in the bundle, or it would be lost.
            None if own.iter().all(|it| bundle.keys.contains_key(it)) => Keys::new(),
            None => return Err(KeyringError::Stale),
        };
        for (version, key) in &bundle.keys {
            match keys.get(version) {
                Some(known) if known != key => return Err(KeyringError::Conflict(*version)),
                Some(_) => {}
                None if self.retired.contains(version) => {}
                None => drop(keys.insert(*version, key.clone())),
            }
        }
        // Rotation only goes up.
        let is_ahead = bundle.current > self.current && keys.contains_key(&bundle.current);
        let theirs_is_newer = bundle.lock_generation > self.lock_generation;
        let body = match &self.body {
            _ if theirs_is_newer => body(keys, bundle.held.clone()),
            Body::Plain(_) => Body::Plain(keys),
            Body::Unlocked { lock, lock_key, .. } => Body::Unlocked {
                keys,
                lock: lock.clone(),
                lock_key: lock_key.clone(),
            },
            Body::Locked { lock, .. } => match &bundle.held {
                Some(held) if held.lock == *lock => body(keys, bundle.held.clone()),
                _ => return Err(KeyringError::Stale),
            },
        };
        Ok(Self {
            current: if is_ahead { bundle.current } else { self.current },
            lock_generation: self.lock_generation.max(bundle.lock_generation),
            body,
            ..self.clone()
        })
    }

    /// With other keys under the same lock. What is locked stays as it is.
    fn with_keys(&self, keys: Keys) -> Self {
        let body = match &self.body {
            Body::Unlocked { lock, lock_key, .. } => Body::Unlocked {
                keys,
                lock: lock.clone(),
                lock_key: lock_key.clone(),
            },
            Body::Plain(_) => Body::Plain(keys),
            Body::Locked { .. } => self.body.clone(),
        };
        Self { body, ..self.clone() }
    }
}

fn body(keys: Keys, held: Option<Held>) -> Body {
    match held {
        Some(Held { lock, lock_key }) => Body::Unlocked { keys, lock, lock_key },
        None => Body::Plain(keys),
    }
}

fn hash(key: &Key, label: &[u8], text: &[u8]) -> Key {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    context.update(label);
    context.update(text);
    let tag = context.sign();
    Key::fill(|key| key.copy_from_slice(tag.as_ref()))
}
