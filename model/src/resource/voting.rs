//! Whether a node is to vote.

use serde::{Deserialize, Serialize};

use crate::NodeId;

/// What an operator wants of a node's vote. Who votes in fact is the cluster's business, which never gives up a quorum
/// for a wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voting {
    /// As the cluster sees fit.
    #[default]
    Auto,
    /// Before nodes of which nothing is said.
    Always,
    /// Not at all.
    Never,
}

impl Voting {
    /// As clients see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// What is wanted of one node's vote. A record of its own, because stored nodes can never gain a field; there is none
/// for a node that is left to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeVoting {
    /// Of which node.
    pub id: NodeId,
    /// What is wanted.
    pub voting: Voting,
}
