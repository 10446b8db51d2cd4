//! Who may do what.

use serde::{Deserialize, Serialize};

use crate::{AccountId, ApiKeyId, ProjectId, Revision, Timestamp};

/// A tenant. Sees only what it owns; an admin sees all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name, shown as `deployed_by`.
    pub name: String,
    /// May manage nodes, join tokens and other accounts.
    pub is_admin: bool,
    /// Where resources go that name no project.
    pub default_project: ProjectId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everything its account may do.
    Full,
    /// GET, HEAD and OPTIONS only.
    ReadOnly,
}

/// A credential of an account. The key itself is shown once and never stored; SHA-256 is enough for its hash because
/// the key is 256 bits of randomness, not a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose key it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the whole key text, prefix included.
    pub hash: [u8; 32],
    /// What it may be used for.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working, if ever.
    pub expires_at: Option<Timestamp>,
    /// The entry that last changed it.
    pub revision: Revision,
}
