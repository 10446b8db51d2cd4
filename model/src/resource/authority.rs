//! The way from one certificate authority of the cluster to the next.

use serde::{Deserialize, Serialize};

use crate::{Authority, ClusterId, Timestamp};

/// A rotation of the certificate authority that is under way; there is no record while none is. Both authorities are
/// trusted until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityRotation {
    /// Of which cluster: there is one at most.
    pub id: ClusterId,
    /// How far it has come.
    pub step: AuthorityStep,
    /// The next authority's certificate as the one before has signed it (DER): whoever knows only that one, recognises
    /// by it what the next one signs.
    pub bridge: Vec<u8>,
    /// When it began.
    pub began_at: Timestamp,
    /// When it came to this step.
    pub changed_at: Timestamp,
}

/// How far a rotation of the authority has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthorityStep {
    /// Every node is to trust this authority too. The one of the cluster still signs.
    Announced(Authority),
    /// The next one is the cluster's and signs; every node is to have a certificate from it. The certificate (DER) is
    /// that of the one before, whose key is gone.
    Renewing(Vec<u8>),
}

impl AuthorityRotation {
    /// The certificate (DER) of the authority that is trusted besides the cluster's own.
    #[must_use]
    pub fn other(&self) -> &[u8] {
        match &self.step {
            AuthorityStep::Announced(next) => &next.certificate,
            AuthorityStep::Renewing(before) => before,
        }
    }
}
