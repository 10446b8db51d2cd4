//! A group of resources of an account.

use serde::{Deserialize, Serialize};

use crate::{AccountId, ProjectId, Revision, Timestamp};

/// A group of resources of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub account: AccountId,
    /// Unique within the account.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}
