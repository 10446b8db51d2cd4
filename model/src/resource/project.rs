//! A group of resources of an account.

use serde::{Deserialize, Serialize};

use crate::{AccountId, ConfigId, ProjectId, Revision, SecretId, Timestamp};

/// A group of resources of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub account: AccountId,
    /// Unique within the account.
    pub name: String,
    /// Attached where a service names no config.
    pub default_config: ConfigId,
    /// Attached where a service names no secret.
    pub default_secret: SecretId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}
