//! What the agent needs of the rest of its daemon. The `node` crate implements these.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::{DeploymentId, KeyVersion, NodeId, NodeView, PinSource, ReplicaId, ReplicaReport, SecretValue};
use thiserror::Error;
use zeroize::Zeroizing;

/// What a host is to do, as far as its daemon knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The replicas of this host.
    pub view: Arc<NodeView>,
    /// False until this node has caught up with the cluster after its start: the view may be an old one, so what runs
    /// is kept and nothing is started.
    pub may_start: bool,
}

/// Tells the cluster what became of replicas, and what images are.
#[async_trait]
pub trait Reporter: Send + Sync + 'static {
    /// Returns once the reports are part of the replicated state. Has a deadline of its own.
    ///
    /// # Errors
    /// When they are not, or when that is not known; the agent tries again with what is true by then.
    async fn report(&self, reports: Vec<ReplicaReport>) -> Result<(), ReportError>;

    /// Tells which bytes a rollout is to run. Returns once it is part of the replicated state that it runs these, or
    /// what another host has said before.
    ///
    /// # Errors
    /// When it is not, or when that is not known.
    async fn pin(&self, deployment: DeploymentId, digest: &str, source: PinSource) -> Result<(), ReportError>;
}

/// Reports did not get through.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the cluster did not take the report: {0}")]
pub struct ReportError(pub String);

/// Keeps requests away from a replica that is about to end.
#[async_trait]
pub trait Drainer: Send + Sync + 'static {
    /// Stops sending requests to a replica of this host, and returns when those in flight have ended, or after `limit`.
    /// Connections that have changed their protocol, such as WebSockets, are waited for until `tunnels`.
    async fn drain(&self, replica: ReplicaId, limit: Duration, tunnels: Duration);

    /// Takes a drain back: the replica was started again.
    fn resume(&self, replica: ReplicaId);
}

/// Opens the sealed values of secrets. Asked only for containers that are about to start here.
pub trait Opener: Send + Sync + 'static {
    /// The value in the open, wiped when dropped.
    ///
    /// # Errors
    /// When the keyring is locked or the value does not open. Nothing of the value is in the error.
    fn open(&self, value: &SecretValue) -> Result<Zeroizing<Vec<u8>>, OpenError>;
}

/// Knows the nodes of the cluster.
pub trait Roster: Send + Sync + 'static {
    /// Whether a node of that id was in the cluster before this one and is not any more. Nobody else sees to what it has
    /// left on this host, since ids are never given out again.
    fn is_gone(&self, node: NodeId) -> bool;
}

/// Gives the content of images that other nodes of the cluster have.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// A blob of an image, both by their digests, from the first node that has it. Its bytes are not checked.
    async fn blob(&self, image: &str, digest: &str) -> Option<PeerBlob>;
}

/// A blob as another node sends it.
pub struct PeerBlob {
    /// That node's name.
    pub node: String,
    /// Its bytes, unchecked.
    pub bytes: BoxStream<'static, Result<Bytes, std::io::Error>>,
}

/// A node that has no others to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeers;

#[async_trait]
impl Peers for NoPeers {
    async fn blob(&self, _: &str, _: &str) -> Option<PeerBlob> {
        None
    }
}

/// A sealed value cannot be opened.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// The keyring waits for its passphrase.
    #[error("the keyring of this host is locked; run `goblins keyring unlock`")]
    Locked,
    /// The keyring has not got the key that it is sealed under.
    #[error("the keyring of this host lacks cluster key {0}; compare `goblins keyring status` with other nodes")]
    UnknownKey(KeyVersion),
    /// It was changed after it was sealed, or belongs elsewhere.
    #[error("a sealed value was changed, or belongs elsewhere; set it again")]
    Damaged,
}
