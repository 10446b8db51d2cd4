//! One rollout of a service: everything its replicas need, pinned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AccountId, DeploymentId, Revision, SecretItemId, SecretValueId, ServiceId, ServiceSpec, Timestamp};

/// How a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeploymentStatus {
    /// Replicas are being started.
    Pending,
    /// All replicas became ready.
    Success,
    /// It ended with an error; see `error_message`.
    Failed,
    /// A later rollback replaced it.
    RolledBack,
}

/// A value of a secret that a rollout is pinned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretPin {
    /// Which item.
    pub item: SecretItemId,
    /// Which of its values.
    pub version: u32,
    /// Its key at that time.
    pub key: String,
}

impl SecretPin {
    /// The value.
    #[must_use]
    pub fn value(&self) -> SecretValueId {
        SecretValueId {
            item: self.item,
            version: self.version,
        }
    }
}

/// A rollout and the revision of the service that it brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The service it rolls out.
    pub service: ServiceId,
    /// Whose service it is.
    pub account: AccountId,
    /// 1, 2, 3 ... per service.
    pub version: u32,
    /// What its replicas run, as it was when the rollout began.
    pub spec: ServiceSpec,
    /// Config keys and values at that time.
    pub config_snapshot: BTreeMap<String, String>,
    /// The values of its secret at that time, sorted by key.
    pub secrets: Vec<SecretPin>,
    /// How it stands.
    pub status: DeploymentStatus,
    /// When it began.
    pub deployed_at: Timestamp,
    /// Name of the account that began it.
    pub deployed_by: String,
    /// The deployment it brings back, if it is a rollback.
    pub rollback_from: Option<DeploymentId>,
    /// Free text of its author.
    pub notes: String,
    /// Why it failed: what, where, why, and what to do.
    pub error_message: String,
    /// When a pending rollout is given up.
    pub deadline: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}
