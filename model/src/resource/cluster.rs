//! What belongs to the cluster as a whole.

use serde::{Deserialize, Serialize};

use crate::{ClusterId, JoinTokenId, NodeId, OperationId, Outcome, Rejection, Revision, Timestamp};

/// The cluster itself. There is exactly one, written by its first entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its id: data of another cluster is refused.
    pub id: ClusterId,
    /// When it was born.
    pub created_at: Timestamp,
    /// The id that the next node will get.
    pub next_node: NodeId,
}

/// Lets a host join until it expires. Only the hash of the token is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Its id.
    pub id: JoinTokenId,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

/// What became of a proposed command, kept a while so that a retry after a failover gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Chosen by the node that took the request.
    pub id: OperationId,
    /// When it was applied.
    pub at: Timestamp,
    /// The entry that applied it.
    pub revision: Revision,
    /// The answer.
    pub result: Result<Outcome, Rejection>,
}
