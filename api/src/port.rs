//! What the API needs from the rest of the node.

mod authority;
mod backup;
mod exec;
mod explain;
mod health;
mod keyring;
mod logs;
mod pulls;
mod transfer;

use std::time::Duration;

use async_trait::async_trait;
pub use authority::{Authorities, AuthorityHeld, AuthorityNode, AuthorityView, Fingerprint};
pub use backup::{BackupFault, BackupStream, Backups};
pub use exec::{ExecFault, ExecInput, ExecOutput, ExecRequest, ExecSession, Execs, TerminalSize};
pub use explain::{ExplainedNode, ExplainedRemedy, ExplainedReplica, Explanation};
pub use health::{HealthView, NodeHealth, Said};
pub use keyring::{KeyringFault, KeyringHeld, KeyringNode, KeyringView, Keyrings};
pub use logs::{LogLine, LogPiece, LogSource, Logs, LogsFault, LogsRequest};
use model::{
    KeyVersion, NodeId, OperationId, Outcome, Rejection, ReplicaId, Revision, Sealed, SecretValue, SecretValueId,
    ServiceId, State, Submission, Timestamp,
};
pub use pulls::{PullProgress, Pulls};
use thiserror::Error;
pub use transfer::TransferFault;
use zeroize::Zeroizing;

/// The replicated state, as seen from this node.
#[async_trait]
pub trait ControlPlane: Send + Sync + 'static {
    /// Proposes a command and waits until it is committed and applied here.
    ///
    /// # Errors
    /// See [`SubmitError`].
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError>;

    /// The state with every write that was acknowledged before this was called (linearizable).
    ///
    /// # Errors
    /// When no quorum confirms in time that this node's state is recent.
    async fn read(&self) -> Result<State, Unavailable>;

    /// The state as this node has it right now.
    fn local(&self) -> State;

    /// The state of this node as soon as it is beyond `seen`.
    async fn beyond(&self, seen: Revision) -> State;

    /// How old [`ControlPlane::local`] may be.
    fn staleness(&self) -> Duration;

    /// This node's clock.
    fn now(&self) -> Timestamp;

    /// How consensus stands, as this node knows it.
    fn cluster(&self) -> ClusterView;

    /// How all nodes are, each asked at once for a short time.
    async fn health(&self) -> HealthView;

    /// Lets another voter lead: this one, or the one that is furthest. Answers who leads then.
    ///
    /// # Errors
    /// See [`TransferFault`].
    async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<NodeId, TransferFault>;
    /// How far the images of these replicas have come, each host asked at once for a short time.
    async fn pulls(&self, _state: &State, _replicas: &[ReplicaId]) -> Pulls {
        Pulls::new()
    }

    /// Whether this node can serve linearizable reads.
    fn readiness(&self) -> Readiness;

    /// What this node measures, in the OpenMetrics text format.
    fn metrics(&self) -> String;

    /// The keys of all nodes, where there are any.
    fn keyrings(&self) -> Option<&dyn Keyrings> {
        None
    }

    /// The cluster's certificate authority, where there is one.
    fn authorities(&self) -> Option<&dyn Authorities> {
        None
    }

    /// Backups, where some can be taken.
    fn backups(&self) -> Option<&dyn Backups> {
        None
    }

    /// Why a service of this state stands as it does, where that can be explained.
    fn explain(&self, _state: &State, _service: ServiceId) -> Option<Explanation> {
        None
    }

    /// Commands beside replicas, where they can be run.
    fn execs(&self) -> Option<&dyn Execs> {
        None
    }

    /// What replicas print, where it can be read.
    fn logs(&self) -> Option<&dyn Logs> {
        None
    }
}

/// Seals and opens the values of secrets on this node.
#[async_trait]
pub trait Sealer: Send + Sync + 'static {
    /// Seals a value, bound to item, version and key.
    ///
    /// # Errors
    /// See [`SealError`].
    fn seal(&self, id: SecretValueId, key: &str, value: &str) -> Result<Sealed, SealError>;

    /// Opens a value.
    ///
    /// # Errors
    /// See [`SealError`].
    fn open(&self, value: &SecretValue) -> Result<Zeroizing<String>, SealError>;

    /// Waits, not for long, for a key that has not reached this node yet. Whether it has come shows when a value is
    /// opened with it.
    async fn obtain(&self, _key: KeyVersion) {}

    /// 32 bytes that only nodes of this cluster can compute, the same on each: for answers that must be the same when
    /// they are given again.
    ///
    /// # Errors
    /// See [`SealError`].
    fn derive(&self, purpose: &str, input: &[u8]) -> Result<[u8; 32], SealError>;
}

/// Why a value could not be sealed or opened. Never says anything of the value.
#[derive(Clone, Debug, Error)]
pub enum SealError {
    /// This node waits for the passphrase.
    #[error("this node's keyring is locked; unlock it with `goblins keyring unlock`")]
    Locked,
    /// The key that the value is under has not reached this node yet.
    #[error("this node waits for version {0} of the cluster key, which the other nodes have: ask again")]
    Missing(KeyVersion),
    /// The value does not open: it was altered, or sealed for another place, or its key is not here.
    #[error("{0}")]
    Damaged(String),
}

/// A command that took effect.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// What it answered.
    pub outcome: Outcome,
    /// The entry that carried it.
    pub revision: Revision,
    /// The state right after it.
    pub state: State,
}

/// A command that did not take effect, or of which that is not known.
#[derive(Clone, Debug, Error)]
pub enum SubmitError {
    /// It was decided and refused. Asking again gives the same answer until the state changes.
    #[error("the command was refused")]
    Rejected(#[source] Rejection),
    /// It was not proposed and has had no effect; ask again later. Says what is missing.
    #[error("the cluster cannot take writes: {0}")]
    Unavailable(String),
    /// It was proposed, and whether it takes effect is not known.
    #[error("the outcome of operation {operation} is not known: {reason}")]
    OutcomeUnknown {
        /// Under which id it was proposed.
        operation: OperationId,
        /// What happened.
        reason: String,
    },
}

/// No linearizable read is possible right now; says what is missing.
#[derive(Clone, Debug, Error)]
#[error("the cluster cannot serve linearizable reads: {0}")]
pub struct Unavailable(pub String);

/// How consensus stands, as one node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// The node that says so.
    pub node: NodeId,
    /// A leader is known, and a majority of the voters follows it.
    pub healthy: bool,
    /// The current term.
    pub term: u64,
    /// Who leads it, if known.
    pub leader: Option<NodeId>,
    /// The last log index known to be committed.
    pub commit_index: u64,
    /// The last log index applied on this node.
    pub applied_index: u64,
    /// Members whose votes count, sorted by id.
    pub voters: Vec<MemberView>,
    /// Members that only follow, sorted by id.
    pub learners: Vec<MemberView>,
}

/// How far one member has come. Only the leader knows that of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberView {
    /// Which one.
    pub node: NodeId,
    /// The last log index known to be on its disk.
    pub matched_index: Option<u64>,
    /// How many entries it is behind the leader's log.
    pub lag: Option<u64>,
}

/// Whether a node can serve linearizable reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot yet; says what it waits for.
    Waiting(String),
}
