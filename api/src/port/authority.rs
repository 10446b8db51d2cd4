//! The cluster's certificate authority, as an operator sees and replaces it.

use async_trait::async_trait;
use model::{AccountId, NodeId, Timestamp};

use super::{KeyringFault, Unavailable};

/// SHA-256 of an authority's certificate.
pub type Fingerprint = [u8; 32];

/// The cluster's certificate authority.
#[async_trait]
pub trait Authorities: Send + Sync + 'static {
    /// How it stands, and each node towards it.
    ///
    /// # Errors
    /// When nothing of the cluster is known here yet.
    async fn show(&self) -> Result<AuthorityView, Unavailable>;

    /// Begins a rotation; the cluster goes on with it by itself.
    ///
    /// # Errors
    /// It takes the keys of this node, so it fails as those do.
    async fn rotate(&self, by: AccountId) -> Result<(), KeyringFault>;
}

/// How the authority stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityView {
    /// The one that signs.
    pub signer: Fingerprint,
    /// The next one, once it is announced.
    pub next: Option<Fingerprint>,
    /// The one before, while it is still trusted.
    pub before: Option<Fingerprint>,
    /// When the rotation began that is under way.
    pub began_at: Option<Timestamp>,
    /// Each node, sorted by id.
    pub nodes: Vec<AuthorityNode>,
}

/// How one node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityNode {
    /// Which one.
    pub node: NodeId,
    /// What it proves with who it is, or why that is not known.
    pub said: Result<AuthorityHeld, String>,
    /// Why the rotation waits for it, and what to do.
    pub waits: Option<String>,
}

/// What a node proves with who it is, and whom it believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityHeld {
    /// Who has signed its certificate.
    pub signer: Fingerprint,
    /// Until when that is good.
    pub until: Timestamp,
    /// Whom it believes.
    pub trusted: Vec<Fingerprint>,
}
