//! The keys of all nodes, as an operator sees and changes them.

use async_trait::async_trait;
use model::{AccountId, KeyVersion, NodeId};
use thiserror::Error;
use zeroize::Zeroizing;

use super::SubmitError;

/// The keys of all nodes.
#[async_trait]
pub trait Keyrings: Send + Sync + 'static {
    /// How they stand.
    async fn show(&self) -> KeyringView;

    /// Begins a rotation; the cluster goes on with it by itself.
    ///
    /// # Errors
    /// See [`KeyringFault`].
    async fn rotate(&self, by: AccountId) -> Result<(), KeyringFault>;

    /// Sets a passphrase for all nodes, if one is given; has them forget their keys until it is given again, if that is
    /// to be `now`.
    ///
    /// # Errors
    /// See [`KeyringFault`].
    async fn lock(&self, by: AccountId, passphrase: Option<Zeroizing<String>>, now: bool) -> Result<(), KeyringFault>;

    /// Opens the keyring of this node, and those of the others that wait for the same passphrase.
    ///
    /// # Errors
    /// See [`KeyringFault`].
    async fn unlock(&self, passphrase: Zeroizing<String>) -> Result<(), KeyringFault>;

    /// Takes the passphrase away.
    ///
    /// # Errors
    /// See [`KeyringFault`].
    async fn remove_lock(&self, by: AccountId, passphrase: Zeroizing<String>) -> Result<(), KeyringFault>;
}

/// How the keys of all nodes stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyringView {
    /// The newest version of the cluster key.
    pub current: KeyVersion,
    /// The oldest that may still be in use.
    pub oldest: KeyVersion,
    /// Whether there is a passphrase.
    pub autolock: bool,
    /// Whether a rotation is under way.
    pub is_rotating: bool,
    /// Values that are still under an older key.
    pub values_left: usize,
    /// Each node, sorted by id.
    pub nodes: Vec<KeyringNode>,
}

/// The keyring of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringNode {
    /// Which node.
    pub node: NodeId,
    /// What it holds, or why that is not known.
    pub held: Result<KeyringHeld, String>,
}

/// What a node holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyringHeld {
    /// Versions of its keys, in order.
    pub versions: Vec<KeyVersion>,
    /// Seals new values.
    pub current: KeyVersion,
    /// Whether it waits for its passphrase.
    pub locked: bool,
    /// Whether it has one.
    pub autolock: bool,
    /// Whether it is as the cluster says.
    pub in_step: bool,
}

/// Why a keyring does not do what it is asked. Never says anything of a key or a passphrase.
#[derive(Clone, Debug, Error)]
pub enum KeyringFault {
    /// It waits for its passphrase.
    #[error("this node's keyring is locked; unlock it with `goblins keyring unlock`")]
    Locked,
    /// The passphrase is another.
    #[error("This is not the passphrase of the keyring. The next attempt is possible in {wait_seconds} s.")]
    WrongPassphrase {
        /// Until the next attempt is looked at.
        wait_seconds: u64,
    },
    /// Too soon after a wrong passphrase. It was not looked at.
    #[error("too many attempts")]
    TooManyAttempts {
        /// Until the next attempt is looked at.
        wait_seconds: u64,
    },
    /// It cannot be a passphrase; says why.
    #[error("{0}")]
    BadPassphrase(String),
    /// Without one, what is locked could never be opened again.
    #[error("The keyring has no passphrase, so it cannot be locked: send one as `passphrase`.")]
    NoPassphrase,
    /// A rotation is under way; says how far it is.
    #[error("{0}")]
    UnderWay(String),
    /// Not enough nodes have what they need; says which.
    #[error("{0}")]
    Missing(String),
    /// The cluster did not take it.
    #[error(transparent)]
    Submit(SubmitError),
    /// Something broke; for the log only.
    #[error("{0}")]
    Failed(String),
}
