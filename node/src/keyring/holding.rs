//! What a node's keyring holds, as far as it can be told.

use std::collections::BTreeMap;

use model::KeyVersion;
use storage::Keyring;
use uuid::Uuid;

/// What a node's keyring holds: enough to compare it with that of another node, and nothing that opens anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// A fingerprint of each key; `None` on a locked node.
    pub(crate) keys: BTreeMap<KeyVersion, Option<[u8; 32]>>,
    /// New values are sealed under this one.
    pub(crate) current: KeyVersion,
    /// Whether it waits for its passphrase.
    pub(crate) locked: bool,
    /// Tells its passphrase from others.
    pub(crate) lock: Option<Uuid>,
    /// Counts the changes of the passphrase.
    pub(crate) lock_generation: u64,
}

impl Holding {
    /// Of this node, now.
    pub(crate) fn of(keyring: &Keyring) -> Self {
        let status = keyring.status();
        let fingerprint = |version: KeyVersion| (version, keyring.fingerprint(version).ok());
        Self {
            keys: status.versions.into_iter().map(fingerprint).collect(),
            current: status.current,
            locked: status.locked,
            lock: status.lock,
            lock_generation: status.lock_generation,
        }
    }

    /// The fingerprint of a key that is here and open.
    pub(crate) fn fingerprint(&self, version: KeyVersion) -> Option<[u8; 32]> {
        self.keys.get(&version).copied().flatten()
    }

    /// Whether this can take the place of what `other` holds without losing anything that may be in use: it is as far,
    /// knows its passphrase or a later one, and has all of its keys from `oldest` on.
    pub(crate) fn covers(&self, other: &Self, oldest: KeyVersion) -> bool {
        let has_all = other.keys.range(oldest..).all(|(it, _)| self.keys.contains_key(it));
        !self.locked && self.current >= other.current && self.lock_generation >= other.lock_generation && has_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(versions: &[u32], current: u32, lock_generation: u64) -> Holding {
        Holding {
            keys: versions.iter().map(|it| (KeyVersion(*it), Some([0; 32]))).collect(),
            current: KeyVersion(current),
            lock_generation,
            ..Holding::default()
        }
    }

    #[test]
    fn nothing_that_is_in_use_is_replaced_by_less() {
        let own = of(&[1, 2], 1, 1);
        let covers = |it: &Holding| it.covers(&own, KeyVersion(1));
        assert!(covers(&own));
        assert!(covers(&of(&[1, 2, 3], 2, 2)));
        assert!(!covers(&of(&[2], 2, 1)), "an old key is missing");
        assert!(of(&[2], 2, 1).covers(&own, KeyVersion(2)), "it was retired");
        assert!(!covers(&of(&[1, 2], 1, 0)), "an older passphrase");
        assert!(!of(&[1, 2], 1, 1).covers(&of(&[1, 2], 2, 1), KeyVersion(1)), "behind");
        let locked = Holding {
            locked: true,
            ..own.clone()
        };
        assert!(!covers(&locked));
    }
}
