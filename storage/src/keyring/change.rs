//! What changes a keyring: its keys and its passphrase.

use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Instant;

use model::KeyVersion;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::attempts::seconds;
use super::bundle::KeyBundle;
use super::lock::{Cost, Lock};
use super::ring::Ring;
use super::{Import, Keyring, KeyringError, document, file};
use crate::seal::aead::{self, KEY, Key};

impl Keyring {
    /// Puts the keyring under a passphrase, instead of the one before if there was one. It stays open in memory; a
    /// restarted daemon will wait for the passphrase. What the disk held before is not scrubbed: rotate afterwards.
    /// Answers the new [`lock`](super::KeyringStatus::lock).
    pub fn lock_with(&self, passphrase: &str) -> Result<Uuid, KeyringError> {
        self.lock_at_cost(passphrase, Cost::USUAL)
    }

    pub(super) fn lock_at_cost(&self, passphrase: &str, cost: Cost) -> Result<Uuid, KeyringError> {
        let ring = self.ring();
        if ring.keys().is_none() {
            return Err(KeyringError::Locked);
        }
        let (lock, lock_key) = Lock::make(passphrase, cost, ring.cluster)?;
        let id = lock.id();
        self.change(|ring| ring.locked_by(lock, lock_key).map(Some))?;
        Ok(id)
    }

    /// Opens the keyring. If it is open, checks the passphrase all the same; without one, any is right.
    pub fn unlock(&self, passphrase: &str) -> Result<(), KeyringError> {
        let Some((lock, lock_key)) = self.check(passphrase)? else {
            return Ok(());
        };
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring();
        if ring.lock() != Some(&lock) {
            return another_was_set();
        }
        self.put(ring.unlocked(lock_key)?);
        Ok(())
    }

    /// Takes the passphrase away: the keys lie open in the file again, and in memory.
    pub fn remove_lock(&self, passphrase: &str) -> Result<(), KeyringError> {
        let Some((lock, lock_key)) = self.check(passphrase)? else {
            return Ok(());
        };
        self.change(|ring| {
            if ring.lock() != Some(&lock) {
                return another_was_set();
            }
            ring.unlocked(lock_key)?.without_lock().map(Some)
        })
    }

    /// Forgets the keys until the passphrase is given again.
    pub fn seal_now(&self) -> Result<(), KeyringError> {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring();
        if ring.lock().is_none() {
            return Err(KeyringError::NoPassphrase);
        }
        let nonce = aead::random().ok_or(KeyringError::NoRandomness)?;
        let text = document::print(&ring, nonce)?;
        let locked = document::parse(text.as_bytes(), ring.cluster).map_err(|_| KeyringError::Tampered)?;
        self.put(locked);
        Ok(())
    }

    /// A new cluster key, for [`add_key`](Self::add_key) on every node.
    pub fn new_key() -> Result<Zeroizing<[u8; KEY]>, KeyringError> {
        let key = Key::random().ok_or(KeyringError::NoRandomness)?;
        Ok(Zeroizing::new(*key.expose()))
    }

    /// Adds a key, from now on able to open, not yet used to seal. Adding it again changes nothing.
    pub fn add_key(&self, version: KeyVersion, key: &[u8; KEY]) -> Result<(), KeyringError> {
        let key = Key::new(key);
        self.change(|ring| ring.with_key(version, &key))
    }

    /// Seals under this key from now on.
    pub fn set_current(&self, version: KeyVersion) -> Result<(), KeyringError> {
        self.change(|ring| ring.with_current(version))
    }

    /// Gives a key up: what is still under it can never be opened again. Refused for the current one.
    pub fn retire(&self, version: KeyVersion) -> Result<(), KeyringError> {
        self.change(|ring| ring.without_key(version))
    }

    /// Everything, for another node of this cluster. Send it over an encrypted connection to a peer that proved who it
    /// is, and nowhere else.
    pub fn export_bundle(&self) -> Result<KeyBundle, KeyringError> {
        self.ring().bundle().ok_or(KeyringError::Locked)
    }

    /// Takes in the keys and the lock of another node.
    pub fn import_bundle(&self, bundle: &KeyBundle, import: Import) -> Result<(), KeyringError> {
        self.change(|ring| ring.import(bundle, import).map(Some))
    }

    /// Checks a passphrase against the lock, if there is one, and answers it with its key.
    fn check(&self, passphrase: &str) -> Result<Option<(Lock, Key)>, KeyringError> {
        let mut attempts = match self.0.attempts.try_lock() {
            Ok(attempts) => attempts,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(KeyringError::TooManyAttempts { wait_seconds: 1 }),
        };
        let ring = self.ring();
        let Some(lock) = ring.lock() else { return Ok(None) };
        if let Some(wait) = attempts.wait(Instant::now()) {
            let wait_seconds = seconds(wait);
            return Err(KeyringError::TooManyAttempts { wait_seconds });
        }
        match lock.open(passphrase, ring.cluster)? {
            Some(lock_key) => {
                attempts.succeeded();
                Ok(Some((lock.clone(), lock_key)))
            }
            None => {
                let wait_seconds = seconds(attempts.failed(Instant::now()));
                Err(KeyringError::WrongPassphrase { wait_seconds })
            }
        }
    }

    /// Works out a change, writes it, and only then shows it. `None` changes nothing.
    fn change(&self, plan: impl FnOnce(&Ring) -> Result<Option<Ring>, KeyringError>) -> Result<(), KeyringError> {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changed) = plan(&self.ring())? {
            file::write(&self.0.path, &changed)?;
            self.put(changed);
        }
        Ok(())
    }

    fn put(&self, ring: Ring) {
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}

/// Another passphrase was set while this one was checked.
fn another_was_set<T>() -> Result<T, KeyringError> {
    Err(KeyringError::WrongPassphrase { wait_seconds: 0 })
}
