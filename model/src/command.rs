//! Everything that can be asked of the replicated state.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    AccountId, ApiKeyId, Capacity, ClusterId, ConfigId, ContainerSpec, DeploymentId, DeploymentStatus, DomainId,
    Generation, NodeId, Phase, ProjectId, Reason, ReplicaId, Revision, RouteId, Scope, SecretId, ServiceId, Timestamp,
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

/// What a client says of a new service. Already checked for form; references and uniqueness are checked when decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDraft {
    /// Unique within the account.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Port that it listens on.
    pub port: u16,
    /// 1 to 12.
    pub replicas: u8,
    /// `None` is the account's default project.
    pub project: Option<ProjectId>,
    /// The config to attach.
    pub config: Option<ConfigId>,
    /// The secret to attach.
    pub secret: Option<SecretId>,
    /// What runs inside.
    pub container: ContainerSpec,
    /// A note for the first deployment.
    pub notes: String,
}

/// What a client changes of a service; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePatch {
    /// New name.
    pub name: Option<String>,
    /// New image: starts a rollout.
    pub image: Option<String>,
    /// New port: starts a rollout.
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

/// One step of a plan for one service. A plan leaves no choices to whoever carries it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanAction {
    /// Run one more replica of this deployment on this node.
    Place {
        /// Which rollout's spec it runs.
        deployment: DeploymentId,
        /// Where.
        node: NodeId,
    },
    /// Drain and stop this replica.
    Retire(ReplicaId),
    /// Drop the record of a replica whose host will never report again.
    Forget(ReplicaId),
    /// End a pending rollout.
    Finish {
        /// Which one.
        deployment: DeploymentId,
        /// `Success` or `Failed`.
        status: DeploymentStatus,
        /// Why it failed; empty on success.
        error_message: String,
    },
    /// Say why the service is not as wanted, or that this is over.
    Trouble(Option<Reason>),
}

/// What a host says of one of its replicas. Only transitions are reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaReport {
    /// Which one.
    pub replica: ReplicaId,
    /// How far it has come.
    pub phase: Phase,
    /// Why, where that needs saying.
    pub reason: Option<Reason>,
    /// Where it listens, once it runs.
    pub address: Option<SocketAddr>,
    /// How often its container was started again.
    pub restarts: u32,
}

/// Everything that can be asked of the replicated state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "envelopes are boxed on their way; the common variants are the large ones"
)]
pub enum Command {
    /// The first entry of a cluster: its id, the first account with its project and key.
    Bootstrap {
        /// The cluster's id.
        cluster: ClusterId,
        /// Name of the first account.
        admin: String,
        /// SHA-256 of its first API key.
        key_hash: [u8; 32],
    },
    /// Make a project.
    CreateProject(ProjectDraft),
    /// Change a project.
    UpdateProject(ProjectId, ProjectPatch),
    /// Delete a project that holds nothing.
    DeleteProject(ProjectId),
    /// Make a service and its first deployment.
    CreateService(ServiceDraft),
    /// Change a service; starts a rollout where the change asks for one.
    UpdateService(ServiceId, ServicePatch),
    /// Delete a service with its routes and deployments; its replicas are stopped.
    DeleteService(ServiceId),
    /// Make a domain.
    CreateDomain(DomainDraft),
    /// Change a domain's hostname.
    UpdateDomain(DomainId, Option<String>),
    /// Delete a domain that no route uses.
    DeleteDomain(DomainId),
    /// Make a route.
    CreateRoute(RouteDraft),
    /// Change a route.
    UpdateRoute(RouteId, RoutePatch),
    /// Delete a route.
    DeleteRoute(RouteId),
    /// Make an API key from its hash.
    CreateApiKey {
        /// Whose key.
        account: AccountId,
        /// What its owner calls it.
        name: String,
        /// SHA-256 of the key.
        hash: [u8; 32],
        /// What it may be used for.
        scope: Scope,
        /// When it stops working.
        expires_at: Option<Timestamp>,
    },
    /// Revoke an API key, at once on every node.
    RevokeApiKey(ApiKeyId),
    /// Let hosts join.
    CreateJoinToken {
        /// SHA-256 of the token.
        hash: [u8; 32],
        /// From then on it is refused.
        expires_at: Timestamp,
    },
    /// A new host joins, with the hash of the token it showed. Answers [`crate::Outcome::Node`].
    JoinNode {
        /// SHA-256 of the token; the cluster's first node shows none.
        token_hash: Option<[u8; 32]>,
        /// What it says of itself.
        draft: NodeDraft,
    },
    /// A known node has started again: new boot id, perhaps new addresses or capacity. Makes it `Up`.
    StartNode(NodeId, NodeDraft),
    /// The leader's verdict that a node's lease ran out.
    MarkNodeDown(NodeId, Generation),
    /// The leader's verdict that a node that was down renews its lease again.
    MarkNodeUp(NodeId, Generation),
    /// Whether new replicas may be placed on a node.
    SetSchedulable(NodeId, bool),
    /// Carry out a plan for one service, if nothing of it changed since.
    ApplyPlan {
        /// Which service; it may be deleted already, its replicas are still to be stopped.
        service: ServiceId,
        /// `touched` of the service that the plan was made from.
        seen: Revision,
        /// In order.
        actions: Vec<PlanAction>,
    },
    /// Transitions of replicas on one host.
    ReportReplicas {
        /// Which host.
        node: NodeId,
        /// Its current boot id; reports of an earlier life are refused.
        boot: Uuid,
        /// What changed.
        reports: Vec<ReplicaReport>,
    },
}
