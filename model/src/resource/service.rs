//! A container image run as N replicas.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ByteCount, ConfigId, DeploymentId, Millicores, ProjectId, Reason, Revision, SecretId, ServiceId,
    Timestamp,
};

/// What a container may use, and what it is promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// At most this much CPU; `None` is no limit.
    pub cpu_limit: Option<Millicores>,
    /// At most this much memory, beyond which the kernel kills it; `None` is no limit.
    pub memory_limit: Option<ByteCount>,
    /// CPU kept free for it when it is placed.
    pub cpu_reservation: Millicores,
    /// Memory kept free for it when it is placed.
    pub memory_reservation: ByteCount,
}

/// What runs inside one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Replaces the image's entrypoint where it is not empty.
    pub command: Vec<String>,
    /// Replaces the image's arguments where it is not empty, and where `command` is given.
    pub args: Vec<String>,
    /// Added to the image's environment.
    pub env: BTreeMap<String, String>,
    /// Limits and reservations.
    pub resources: Resources,
    /// Seconds between SIGTERM and SIGKILL.
    pub stop_grace_seconds: u32,
}

/// The part of a service whose change starts a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// As the user wrote it, such as `nginx:1.25`.
    pub image: String,
    /// The TCP port it listens on; `None` for a worker, which nothing can be routed to.
    pub port: Option<u16>,
    /// How many replicas are wanted, 1 to 12.
    pub replicas: u8,
    /// Its config, where one is named.
    pub config: Option<ConfigId>,
    /// Its secret, where one is named.
    pub secret: Option<SecretId>,
    /// What runs inside.
    pub container: ContainerSpec,
}

/// Services and workers differ in having a port, have names of their own, and are listed apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceKind {
    /// Listens on a port; routes can lead to it.
    Service,
    /// Works in the background.
    Worker,
}

/// Items of its config or secret have changed, and no rollout has brought them yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemChange {
    /// When the last of them changed. Changes close together make one rollout.
    pub at: Timestamp,
    /// Name of the account that changed it.
    pub by: String,
}

/// A container image run as N replicas: a service, or a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is filed.
    pub project: ProjectId,
    /// Unique within the account, 1 to 32 characters.
    pub name: String,
    /// What is wanted.
    pub spec: ServiceSpec,
    /// Its newest rollout.
    pub deployment: DeploymentId,
    /// That rollout's version number.
    pub version: u32,
    /// Why it is not as wanted right now although no rollout says so, for example for want of room.
    pub trouble: Option<Reason>,
    /// What its next rollout is to bring.
    pub item_change: Option<ItemChange>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
    /// The entry that last changed it, its rollouts or its replicas: what a plan for it was made from.
    pub touched: Revision,
}

impl Service {
    /// Whether it is a service or a worker. This never changes.
    #[must_use]
    pub fn kind(&self) -> ServiceKind {
        match self.spec.port {
            Some(_) => ServiceKind::Service,
            None => ServiceKind::Worker,
        }
    }
}
