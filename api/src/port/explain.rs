//! Why a service stands as it does, in sentences.

use model::{NodeId, ReplicaId};

/// Why a service stands as it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The version whose replicas are wanted.
    pub version: u32,
    /// The newest version, where that is another since it has failed.
    pub failed_version: Option<u32>,
    /// Replicas that are wanted.
    pub wanted: u32,
    /// Replicas that answer.
    pub ready: u32,
    /// Replicas that have no place.
    pub missing: u32,
    /// Each replica.
    pub replicas: Vec<ExplainedReplica>,
    /// Each node as the place of one more replica, the best in front.
    pub nodes: Vec<ExplainedNode>,
    /// What would give those a place that have none, the smallest change first.
    pub remedies: Vec<ExplainedRemedy>,
}

/// Why a replica is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedReplica {
    /// Which one.
    pub id: ReplicaId,
    /// Its deployment's version.
    pub version: u32,
    /// Where it is.
    pub node: NodeId,
    /// Why, and what is to become of it.
    pub why: String,
}

/// Why a node can take one more replica, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedNode {
    /// Which one.
    pub id: NodeId,
    /// Whether it can.
    pub fits: bool,
    /// CPU that is not promised to anybody, in thousandths of a core.
    pub free_cpu: u64,
    /// Memory that is not, in bytes.
    pub free_memory: u64,
    /// Replicas of this service and version that it has.
    pub replicas: u32,
    /// Why it can, or not.
    pub why: String,
}

/// A change that would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedRemedy {
    /// What to change.
    pub text: String,
    /// The command that does it, where there is one.
    pub command: Option<String>,
    /// How many replicas it gives a place to.
    pub places: u32,
}
