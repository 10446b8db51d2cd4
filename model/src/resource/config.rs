//! Sets of environment values: plain ones, and sealed ones.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ConfigId, ConfigItemId, ProjectId, Revision, Sealed, SecretId, SecretItemId, SecretValueId, Timestamp,
};

/// A set of environment values. Services and workers name one, or get their project's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Its id.
    pub id: ConfigId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is filed.
    pub project: ProjectId,
    /// What its owner calls it.
    pub name: String,
    /// Whether it is its project's default: made and deleted with the project.
    pub is_default: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it or one of its items.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}

/// One value of a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigItem {
    /// Its id.
    pub id: ConfigItemId,
    /// The config it is part of.
    pub config: ConfigId,
    /// Whose it is.
    pub account: AccountId,
    /// Name of the environment variable; unique within the config.
    pub key: String,
    /// What it holds.
    pub value: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}

/// A set of values that only those may see who need them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Its id.
    pub id: SecretId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is filed.
    pub project: ProjectId,
    /// What its owner calls it.
    pub name: String,
    /// Whether it is its project's default: made and deleted with the project.
    pub is_default: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it or one of its items.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}

/// One value of a secret, without the value: that is the [`SecretValue`] of its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretItem {
    /// Its id. Chosen by the node that sealed the value, because the seal is bound to it.
    pub id: SecretItemId,
    /// The secret it is part of.
    pub secret: SecretId,
    /// Whose it is.
    pub account: AccountId,
    /// Name of the environment variable or file; unique within the secret.
    pub key: String,
    /// Counts its values, 1 for the first.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// When its value was last read.
    pub last_accessed_at: Option<Timestamp>,
    /// Name of the account that read it then.
    pub last_accessed_by: Option<String>,
    /// The entry that last changed its key or value. Being read does not count.
    pub revision: Revision,
}

impl SecretItem {
    /// Its current value.
    #[must_use]
    pub fn value(&self) -> SecretValueId {
        SecretValueId {
            item: self.id,
            version: self.version,
        }
    }
}

/// A sealed value. Kept while it is its item's current one, or while a deployment is pinned to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretValue {
    /// Of which item, and which of its values.
    pub id: SecretValueId,
    /// The item's key when this was sealed. The seal is bound to it.
    pub key: String,
    /// The value.
    pub sealed: Sealed,
}
