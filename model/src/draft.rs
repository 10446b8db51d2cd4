//! What is said of things that are to be made or changed: checked for form, not yet for what they refer to.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Capacity, ConfigId, ContainerSpec, DomainId, PasswordHash, ProjectId, Sealed, SecretId, SecretValueId, ServiceId,
};

/// What a client says of a new project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectDraft {
    /// Unique within the account.
    pub name: String,
}

/// What a client changes of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectPatch {
    /// A new name.
    pub name: Option<String>,
}

/// What a client says of a new service or worker. Already checked for form; references and uniqueness are checked when decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDraft {
    /// Unique within the account.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Port that it listens on; `None` makes a worker.
    pub port: Option<u16>,
    /// 1 to 12.
    pub replicas: u8,
    /// `None` is the account's default project.
    pub project: Option<ProjectId>,
    /// The config to attach: `None` is the project's default, `Some(None)` is none.
    pub config: Option<Option<ConfigId>>,
    /// The secret to attach: `None` is the project's default, `Some(None)` is none.
    pub secret: Option<Option<SecretId>>,
    /// What runs inside.
    pub container: ContainerSpec,
    /// A note for the first deployment.
    pub notes: String,
}

/// What a client changes of a service or worker; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePatch {
    /// New name.
    pub name: Option<String>,
    /// New image: starts a rollout.
    pub image: Option<String>,
    /// New port: starts a rollout. Means nothing to a worker.
    pub port: Option<u16>,
    /// New replica count: starts a rollout.
    pub replicas: Option<u8>,
    /// New project.
    pub project: Option<ProjectId>,
    /// New config, `Some(None)` detaches: starts a rollout.
    pub config: Option<Option<ConfigId>>,
    /// New secret, `Some(None)` detaches: starts a rollout.
    pub secret: Option<Option<SecretId>>,
    /// New container settings: starts a rollout where they differ.
    pub container: Option<ContainerSpec>,
    /// A note for the deployment that this starts.
    pub notes: String,
}

/// What a client says of a new domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainDraft {
    /// Unique over all accounts.
    pub hostname: String,
    /// `None` is the account's default project.
    pub project: Option<ProjectId>,
}

/// What a client changes of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainPatch {
    /// New hostname.
    pub hostname: Option<String>,
    /// New project.
    pub project: Option<ProjectId>,
}

/// What a client says of a new config or secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigDraft {
    /// What it is called; need not be unique.
    pub name: String,
    /// `None` is the account's default project.
    pub project: Option<ProjectId>,
}

/// What a client changes of a config or secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigPatch {
    /// New name.
    pub name: Option<String>,
    /// New project.
    pub project: Option<ProjectId>,
}

/// What a client changes of an item of a config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigItemPatch {
    /// New key.
    pub key: Option<String>,
    /// New value.
    pub value: Option<String>,
}

/// A value as the node that took the request has sealed it, bound to item, key and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedItem {
    /// Which item, and which of its values this will be.
    pub id: SecretValueId,
    /// Its key from then on.
    pub key: String,
    /// The value.
    pub sealed: Sealed,
}

/// What changes of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPatch {
    /// New user name.
    pub name: Option<String>,
    /// New password.
    pub password: Option<PasswordHash>,
    /// Whether it is an admin from now on.
    pub is_admin: Option<bool>,
}

/// What an admin changes of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePatch {
    /// Whether new replicas may be placed on it.
    pub schedulable: Option<bool>,
    /// Whether its replicas are to move to other nodes.
    pub draining: Option<bool>,
}

/// Where a sealed value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SealedAt {
    /// A value of a secret.
    Value(SecretValueId),
    /// The private key of the cluster's certificate authority.
    Authority,
}

/// What a client says of a new route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteDraft {
    /// Path prefix.
    pub path: String,
    /// Whether proxies use it.
    pub enabled: bool,
    /// A domain of the same account.
    pub domain: DomainId,
    /// A service of the same account.
    pub service: ServiceId,
}

/// What a client changes of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePatch {
    /// New path prefix.
    pub path: Option<String>,
    /// Whether proxies use it.
    pub enabled: Option<bool>,
    /// New domain.
    pub domain: Option<DomainId>,
    /// New service.
    pub service: Option<ServiceId>,
}

/// What a node says of itself when it joins or starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDraft {
    /// Unique in the cluster.
    pub name: String,
    /// Where its peers reach it.
    pub peer_addr: SocketAddr,
    /// Where clients reach its API.
    pub api_addr: SocketAddr,
    /// Where its proxy listens.
    pub http_addr: SocketAddr,
    /// Whether it runs containers.
    pub runs_agent: bool,
    /// Version of its daemon.
    pub version: String,
    /// Changes with each start of the daemon.
    pub boot: Uuid,
    /// What it can give.
    pub capacity: Capacity,
}
