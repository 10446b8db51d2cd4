//! Why a keyring does not do what it is asked.

use std::io;
use std::path::PathBuf;

use model::{ClusterId, KeyVersion};
use thiserror::Error;

/// Why an operation on a keyring failed. None of them says anything of a key or a passphrase.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The keyring waits for its passphrase.
    #[error("the keyring of this node is locked: run `goblins keyring unlock`")]
    Locked,
    /// The passphrase is another.
    #[error("this is not the passphrase of the keyring; the next attempt is possible in {wait_seconds} s")]
    WrongPassphrase {
        /// Until the next attempt is looked at.
        wait_seconds: u64,
    },
    /// Too soon after a wrong passphrase, or while another attempt is being checked. The passphrase was not looked at.
    #[error("too many attempts to unlock the keyring: try again in {wait_seconds} s")]
    TooManyAttempts {
        /// Until the next attempt is looked at.
        wait_seconds: u64,
    },
    /// Too short or too long to be a passphrase.
    #[error("a passphrase must have {min} to {max} bytes: take one that a program has drawn")]
    PassphraseLength {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// Without a passphrase a sealed keyring could never be opened again.
    #[error("the keyring has no passphrase, so it cannot be locked: set one with `goblins keyring lock`")]
    NoPassphrase,
    /// There is no such key.
    #[error("cluster key {0} is not in the keyring of this node")]
    UnknownKey(KeyVersion),
    /// Versions count from 1, and one that was retired never comes back.
    #[error("cluster key {0} cannot be added: versions count from 1, and a retired one is not used again")]
    BadVersion(KeyVersion),
    /// The current key cannot be retired.
    #[error("cluster key {0} is the current one: rotate to another before you retire it")]
    InUse(KeyVersion),
    /// Two nodes have different keys under one version.
    #[error(
        "cluster key {0} differs from the one in the keyring of this node: two rotations ran against each other; rotate \
         once more, on one node"
    )]
    Conflict(KeyVersion),
    /// What is offered is older than what is here.
    #[error(
        "the offered keys do not cover this locked keyring: they are older, or under another passphrase; unlock this \
         node with its own passphrase"
    )]
    Stale,
    /// The keys are of another cluster.
    #[error("these are the keys of cluster {found}, and this node belongs to cluster {expected}")]
    OtherCluster {
        /// Whose keys.
        found: ClusterId,
        /// Whose node.
        expected: ClusterId,
    },
    /// Subkeys would differ between nodes.
    #[error("the offered keys have another root than the keyring of this node: empty its folder and join again")]
    OtherRoot,
    /// The bytes are no bundle of keys.
    #[error("the offered keys cannot be read: they were damaged, or come from another version of Goblins")]
    BadBundle,
    /// The passphrase is right, but the keys do not open with it.
    #[error("the keyring was changed on the disk: restore it from a copy, or take the keys from another node")]
    Tampered,
    /// The passphrase cannot be turned into a key.
    #[error("there is not enough memory to check the passphrase (64 MiB are needed): free some and try again")]
    NoMemory,
    /// Without random numbers nothing can be changed.
    #[error("the operating system gives no random numbers, so the keyring cannot be changed")]
    NoRandomness,
    /// The file could not be written; the keyring is as before.
    #[error("cannot write {path}: check that its disk has room and is healthy, then try again")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
