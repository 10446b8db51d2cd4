//! The handle by which the rest of the daemon uses consensus.

mod core;
mod start;
mod stop;
mod transfer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{AccountId, Actor, ClusterId, Command, NodeId, OperationId, State, Submission};
use storage::Keyring;
use tokio::sync::watch;
use tonic::transport::Channel;
use uuid::Uuid;

pub(crate) use self::core::Core;
pub(crate) use self::stop::Hold;
use self::stop::Lifeline;
pub use self::transfer::TransferError;
use crate::{
    Authorities, AuthorityFault, Config, Ground, Leadership, Lease, Leases, Look, PeerTls, StartError, Status,
    SubmitError, Submitted, Unavailable, Watch,
};

/// A running node of the cluster. Cloning is cheap; every clone is the same node. Dropping it does not stop the node,
/// [`Cluster::shutdown`] does.
#[derive(Clone)]
pub struct Cluster {
    core: Arc<Core>,
    lifeline: Arc<Lifeline>,
}

impl Cluster {
    /// Starts the node that lives in the data folder, or makes one there as `config.start` says. Returns when it takes
    /// part: founded, let in, or caught up with what it knew before (the latter for at most `timing.recovery`).
    pub async fn start(config: Config) -> Result<Self, StartError> {
        start::start(config).await
    }

    /// Starts a node on another ground than this host, on the runtime that this is called on. That must live for as long as the
    /// node; dropped before, it ends the node as a crash would.
    pub async fn start_on(ground: Ground, config: Config) -> Result<Self, StartError> {
        start::begin(ground, config).await
    }

    /// Proposes a command under a new operation id, and tries for at most `timing.submit`. Returns once a majority has
    /// it on disk and this node has applied it.
    pub async fn submit(&self, actor: Actor, command: Command) -> Result<Submitted, SubmitError> {
        let submission = Submission::new(OperationId(Uuid::now_v7()), actor, command);
        self.submit_as(submission, self.core.timing.submit).await
    }

    /// [`Cluster::submit`] with conditions, and with an operation id and a time limit of the caller's: however often an
    /// operation is submitted, it takes effect once, and each time gives the first answer.
    pub async fn submit_as(&self, submission: Submission, limit: Duration) -> Result<Submitted, SubmitError> {
        let core = self.core.clone();
        let deadline = Instant::now() + limit;
        let operation = submission.operation;
        let task = self
            .lifeline
            .spawn(async move { core.submit(submission, deadline).await });
        task.await.unwrap_or(Err(SubmitError::OutcomeUnknown { operation }))
    }

    /// The state with every write that was acknowledged, on any node, before this call.
    pub async fn read(&self) -> Result<State, Unavailable> {
        self.core.read().await
    }

    /// The state as this node knows it, which may be behind; see [`Cluster::staleness`].
    #[must_use]
    pub fn local(&self) -> State {
        self.core.published.state()
    }

    /// How long ago this node last had word from the leader; on the leader, from a majority. `None` if never since it
    /// started.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        self.core.staleness()
    }

    /// Subscribes to all changes from now on.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.core.published.watch()
    }

    /// How consensus stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.core.status()
    }

    /// How often the cluster was founded anew after its majority was lost.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.core.links.epoch()
    }

    /// How all nodes are, each asked at once for at most a second. The text says why one did not answer.
    pub async fn look_around(&self) -> BTreeMap<NodeId, Result<Look, String>> {
        let core = self.core.clone();
        let task = self.lifeline.spawn(async move { core.look_around().await });
        task.await.unwrap_or_default()
    }

    /// How the certificate authority stands, and each node towards it.
    pub async fn authorities(&self) -> Result<Authorities, Unavailable> {
        let core = self.core.clone();
        let task = self.lifeline.spawn(async move { core.authorities().await });
        task.await
            .unwrap_or_else(|_| Err(Unavailable("this node is stopping".to_owned())))
    }

    /// Announces a new certificate authority; the leader goes on with it by itself.
    pub async fn rotate_authority(&self, by: AccountId) -> Result<(), AuthorityFault> {
        let core = self.core.clone();
        let task = self.lifeline.spawn(async move { core.rotate_authority(by).await });
        task.await.unwrap_or_else(|_| {
            Err(AuthorityFault::Unavailable(Unavailable(
                "this node is stopping".to_owned(),
            )))
        })
    }

    /// Whether this node believes that it leads. To be sure, propose something.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.core.leadership.borrow().is_self
    }

    /// Who leads, now and whenever that changes.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.core.leadership.clone()
    }

    /// Resolves with the reason when this node has stopped for good by itself, such as after a failed fsync. The
    /// process must exit then. Never resolves after an orderly shutdown.
    pub async fn fatal(&self) -> String {
        self.core.fatal().await
    }

    /// Whether this node is no member any more: it was removed, or its cluster was founded anew without it. What it runs
    /// runs elsewhere by now.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.core.links.is_removed()
    }

    /// Who has been heard of, if this node leads.
    #[must_use]
    pub fn leases(&self) -> Option<Leases> {
        let mut leases = self.core.leases.read()?;
        leases.by_node.insert(
            self.core.node,
            Lease {
                renewed: Instant::now(),
                boot: self.core.draft.boot,
                full: self.core.room.is_full(),
            },
        );
        Some(leases)
    }

    /// The keys that wrap all secrets. Never in the log.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        self.core.keyring.clone()
    }

    /// A connection to the services that other rooms have registered on a node (see [`Config::services`]), opened when
    /// it is first used and again whenever it has broken. Both ends know who the other is. To be called on the runtime
    /// that is to drive it; every use needs a deadline of its own.
    pub fn channel_to(&self, node: NodeId) -> Result<Channel, Unavailable> {
        self.core.channel_to(node)
    }

    /// This node's certificates for connections of another protocol than that of the peer port.
    #[must_use]
    pub fn peer_tls(&self, protocol: &'static [u8]) -> PeerTls {
        PeerTls::new(self.core.clone(), protocol)
    }

    /// Which cluster this is.
    #[must_use]
    pub fn cluster_id(&self) -> ClusterId {
        self.core.cluster
    }

    /// Which node this is.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.core.node
    }

    /// Lets another voter lead: this one, or the one that is furthest. Can be called on any node. Answers who leads then.
    pub async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<NodeId, TransferError> {
        let core = self.core.clone();
        let task = self.lifeline.spawn(async move { core.transfer_leadership(to).await });
        let stopping = || Err(TransferError::Unavailable("this node is stopping".to_owned()));
        task.await.unwrap_or_else(|_| stopping())
    }

    /// Hands leadership over, if this node leads and another can, and stops. The data folder is free when this returns.
    pub async fn shutdown(&self) {
        if let Some(Err(error)) = self.core.hand_over().await {
            tracing::warn!(%error, "cannot hand leadership over; the others will elect a leader");
        }
        self.lifeline.stop().await;
    }

    /// Stops at once, as a crash would as far as peers can tell. The data folder is free when this returns.
    pub async fn stop(&self) {
        self.lifeline.stop().await;
    }
}

#[cfg(test)]
mod tests;
