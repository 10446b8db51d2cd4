//! What one survivor says of itself, as it is carried from host to host.

use model::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};

/// A place in a log. A later term counts more than a later index: what a later leader wrote replaced what was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Point {
    /// Under which leader the entry was written.
    pub term: u64,
    /// Its number.
    pub index: u64,
}

/// A member, as a survivor knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// Which node.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Where it listened for peers.
    pub address: String,
}

/// What one survivor says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Which of its nodes.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// How often the cluster was founded anew.
    pub epoch: u64,
    /// The newest term that it knows of.
    pub term: u64,
    /// Its last entry.
    pub last: Point,
    /// Up to where it knows that a majority had the entries; what it has beyond that may have been acknowledged or not.
    pub committed: Option<u64>,
    /// Up to where it had applied them to the state on its disk.
    pub applied: Option<u64>,
    /// Who votes: one set, or two in the middle of a change, when both have to agree.
    pub voters: Vec<Vec<NodeId>>,
    /// All members.
    pub members: Vec<Voter>,
}

impl Survivor {
    /// The name of a member, or its id.
    #[must_use]
    pub fn name_of(&self, node: NodeId) -> String {
        let known = self.members.iter().find(|it| it.id == node);
        known.map_or_else(|| format!("node {node}"), |it| it.name.clone())
    }
}
