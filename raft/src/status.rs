//! How consensus stands, as one node sees it.

use model::{ClusterId, NodeId};

/// What a node does in the current term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Decides what is written.
    Leader,
    /// Votes and replicates.
    Follower,
    /// Replicates without a vote.
    Learner,
    /// Stands for election.
    Candidate,
    /// Stopped, or stopping.
    Stopped,
}

/// A node as the leader's log replication sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which node.
    pub id: NodeId,
    /// Its peer address.
    pub address: String,
    /// The last entry that it is known to have on disk. Known on the leader only.
    pub matched: Option<u64>,
    /// How many entries it lacks. Known on the leader only.
    pub lag: Option<u64>,
}

/// How consensus stands, as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which cluster.
    pub cluster_id: ClusterId,
    /// Who says this.
    pub node_id: NodeId,
    /// The current term.
    pub term: u64,
    /// Who leads it, as far as is known.
    pub leader: Option<NodeId>,
    /// What this node does.
    pub role: Role,
    /// The last entry known to be committed.
    pub commit_index: Option<u64>,
    /// The last entry that this node has applied.
    pub applied_index: Option<u64>,
    /// The last entry in this node's log.
    pub last_log_index: Option<u64>,
    /// The last entry contained in this node's newest snapshot.
    pub snapshot_index: Option<u64>,
    /// The last entry that this node has dropped from its log.
    pub purged_index: Option<u64>,
    /// Who votes, by id.
    pub voters: Vec<Member>,
    /// Who does not, by id.
    pub learners: Vec<Member>,
}
