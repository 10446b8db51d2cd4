//! How the nodes of the cluster are, as each says itself.

use std::time::Duration;

use model::NodeId;

/// How the nodes are, asked at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthView {
    /// How often the cluster was founded anew after its majority was lost.
    pub epoch: u64,
    /// How long ago the answering node last had word from the leader; `None` if never.
    pub staleness: Option<Duration>,
    /// Every node, sorted by id.
    pub nodes: Vec<NodeHealth>,
}

/// How one node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHealth {
    /// Which one.
    pub node: NodeId,
    /// How long ago the leader last heard of it; `None` if it did not, or if there is none to ask.
    pub contact: Option<Duration>,
    /// What it says of itself, or why it does not.
    pub said: Result<Said, String>,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The last entry in its log.
    pub last_log_index: u64,
    /// The last entry that it has applied.
    pub applied_index: u64,
    /// Bytes free on the disk of its data folder.
    pub disk_free: u64,
    /// Bytes of that disk; zero if neither is known.
    pub disk_total: u64,
    /// What runs there.
    pub version: String,
}
