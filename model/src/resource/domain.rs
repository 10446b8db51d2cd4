//! A hostname.

use serde::{Deserialize, Serialize};

use crate::{AccountId, DomainId, ProjectId, Revision, Timestamp};

/// A hostname that the cluster answers for. Unique over all accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is filed.
    pub project: ProjectId,
    /// As it was sent; matched without regard to case.
    pub hostname: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}
