//! Who may do what.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ApiKeyId, ProjectId, Revision, SessionId, Timestamp};

/// A tenant, who is also the user that logs in. Sees only what it owns; an admin manages the cluster and the accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its user name, unique in the cluster; shown as `deployed_by`.
    pub name: String,
    /// May manage nodes, join tokens, keys of the cluster and other accounts.
    pub is_admin: bool,
    /// `None`: nobody can log in with a password.
    pub password: Option<PasswordHash>,
    /// Where resources go that name no project.
    pub default_project: ProjectId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}

/// A password after argon2id (RFC 9106), in the PHC string format.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(...)")
    }
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everything its account may do.
    Full,
    /// GET, HEAD and OPTIONS only.
    ReadOnly,
    /// Everything but reading the values of secrets, which it may still write.
    NoSecretValues,
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
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The entry that last changed it. Being used does not count.
    pub revision: Revision,
}

/// A login of the web interface. Only hashes are kept, as with [`ApiKey`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who logged in.
    pub account: AccountId,
    /// SHA-256 of the session cookie.
    pub hash: [u8; 32],
    /// SHA-256 of the token that unsafe requests must repeat in a header.
    pub csrf_hash: [u8; 32],
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}
