//! What belongs to the cluster as a whole.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ClusterId, Fingerprint, JoinTokenId, KeyVersion, NodeId, OperationId, Outcome, Rejection, Revision, Sealed,
    Timestamp,
};

/// The cluster itself. There is exactly one, written by its first entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its id: data of another cluster is refused.
    pub id: ClusterId,
    /// When it was born.
    pub created_at: Timestamp,
    /// The id that the next node will get.
    pub next_node: NodeId,
    /// Who signs the certificates of its nodes.
    pub authority: Authority,
    /// Which keys its nodes must hold.
    pub keyring: KeyringState,
}

/// The certificate authority of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Its certificate, DER (RFC 5280).
    pub certificate: Vec<u8>,
    /// Its private key, PKCS #8 DER, sealed by the cluster key.
    pub key: Sealed,
}

/// What the state says of the cluster's keys, which are never part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyringState {
    /// Seals new values.
    pub current: KeyVersion,
    /// The oldest that may still be in use; older ones are forgotten.
    pub oldest: KeyVersion,
    /// Changes with the passphrase; `None`: there is none.
    pub lock: Option<Uuid>,
}

impl Default for KeyringState {
    fn default() -> Self {
        Self {
            current: KeyVersion(1),
            oldest: KeyVersion(1),
            lock: None,
        }
    }
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

/// How many more hosts may join with a token. A record of its own, because stored tokens can never gain a field; a token
/// without one (an older version made it) is good for any number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinTokenUses {
    /// Of which token.
    pub id: JoinTokenId,
    /// So many more; at zero it is used up.
    pub left: u32,
}

/// What became of a proposed command, kept a while so that a retry after a failover gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Chosen by the node that took the request, or derived from the client's idempotency key.
    pub id: OperationId,
    /// When it was applied.
    pub at: Timestamp,
    /// Until when it is kept.
    pub expires_at: Timestamp,
    /// The entry that applied it.
    pub revision: Revision,
    /// What the client asked for under its idempotency key.
    pub fingerprint: Option<Fingerprint>,
    /// The answer.
    pub result: Result<Outcome, Rejection>,
}
