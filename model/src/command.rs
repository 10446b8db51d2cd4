//! Everything that can be asked of the replicated state.

mod level;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::level::{COMMAND_LEVEL, level_of_version, leveled_version};
use crate::{
    AccountId, AccountPatch, ApiKeyId, Authority, ClusterId, ConfigDraft, ConfigId, ConfigItemId, ConfigItemPatch,
    ConfigPatch, DeploymentId, DeploymentStatus, DomainDraft, DomainId, DomainPatch, Generation, KeyVersion, NodeDraft,
    NodeId, NodePatch, PasswordHash, Phase, PinSource, ProjectDraft, ProjectId, ProjectPatch, Reason, ReplicaId,
    Revision, RouteDraft, RouteId, RoutePatch, Scope, Sealed, SealedAt, SealedItem, SecretId, SecretItemId,
    ServiceDraft, ServiceId, ServicePatch, SessionId, Setting, Timestamp, Voting,
};

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
    /// Begin a rollout that brings the items that have changed.
    Redeploy,
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
        /// Signs the certificates of its nodes.
        authority: Authority,
    },
    /// Make a project, with its default config and secret.
    CreateProject(ProjectDraft),
    /// Change a project.
    UpdateProject(ProjectId, ProjectPatch),
    /// Delete a project that holds nothing.
    DeleteProject(ProjectId),
    /// Make a service or worker and its first deployment.
    CreateService(ServiceDraft),
    /// Change a service; starts a rollout where the change asks for one.
    UpdateService(ServiceId, ServicePatch),
    /// Delete a service with its routes and deployments; its replicas are stopped.
    DeleteService(ServiceId),
    /// Bring an earlier revision of a service back, as a new deployment.
    RollBack {
        /// The deployment whose revision it is.
        deployment: DeploymentId,
        /// A note for the new deployment.
        notes: String,
    },
    /// Make a config.
    CreateConfig(ConfigDraft),
    /// Change a config.
    UpdateConfig(ConfigId, ConfigPatch),
    /// Delete a config with its items, if nothing uses it.
    DeleteConfig(ConfigId),
    /// Make an item of a config.
    CreateConfigItem {
        /// Of which.
        config: ConfigId,
        /// Unique within the config.
        key: String,
        /// What it holds.
        value: String,
    },
    /// Change an item of a config; what uses the config is rolled out anew.
    UpdateConfigItem(ConfigItemId, ConfigItemPatch),
    /// Delete an item of a config; what uses the config is rolled out anew.
    DeleteConfigItem(ConfigItemId),
    /// Make a secret.
    CreateSecret(ConfigDraft),
    /// Change a secret.
    UpdateSecret(SecretId, ConfigPatch),
    /// Delete a secret with its items, if nothing uses it.
    DeleteSecret(SecretId),
    /// Make an item of a secret.
    CreateSecretItem(SecretId, SealedItem),
    /// Change an item of a secret; what uses the secret is rolled out anew.
    UpdateSecretItem(SealedItem),
    /// Delete an item of a secret; what uses the secret is rolled out anew.
    DeleteSecretItem(SecretItemId),
    /// A client is about to be shown this item's value.
    RecordSecretRead(SecretItemId),
    /// Make a domain.
    CreateDomain(DomainDraft),
    /// Change a domain.
    UpdateDomain(DomainId, DomainPatch),
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
    /// Note when keys were last used. Sent now and then for many at a time, not with each use.
    TouchApiKeys(Vec<(ApiKeyId, Timestamp)>),
    /// Make an account, with its default project.
    CreateAccount {
        /// Its user name, unique in the cluster.
        name: String,
        /// `None`: nobody can log in to it with a password.
        password: Option<PasswordHash>,
        /// Whether it is an admin.
        is_admin: bool,
    },
    /// Change an account. Its sessions end with a new password.
    UpdateAccount(AccountId, AccountPatch),
    /// Delete an account that holds nothing, with its keys and sessions.
    DeleteAccount(AccountId),
    /// Log in: the password was right.
    CreateSession {
        /// Who.
        account: AccountId,
        /// SHA-256 of the session cookie.
        hash: [u8; 32],
        /// SHA-256 of the token that unsafe requests must repeat in a header.
        csrf_hash: [u8; 32],
        /// When it ends by itself.
        expires_at: Timestamp,
    },
    /// Log out.
    EndSession(SessionId),
    /// Nothing, but for the charge that comes with it.
    Spend,
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
    /// Say what a node is to be used for.
    UpdateNode(NodeId, NodePatch),
    /// Take a node out of the cluster for good. One that is up must have been emptied first.
    RemoveNode(NodeId),
    /// Seal new values with this key, which a majority of the nodes holds already.
    RotateKey(KeyVersion),
    /// Data keys under a newer cluster key; the values themselves stay as they are.
    Rewrap(Vec<(SealedAt, Sealed)>),
    /// Forget all keys older than this one, which nothing uses any more.
    RetireKeys(KeyVersion),
    /// The passphrase was set, changed (another id) or taken away.
    SetKeyringLock(Option<Uuid>),
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
    /// Say whether a node is to vote, with what else changes of it.
    SetVoting(NodeId, NodePatch, Voting),
    /// Begin anew with one node, because a majority is lost for good: all others are out. Written by `goblins recover`
    /// only, into the log of the node that is kept.
    Refound {
        /// The node that is kept.
        survivor: NodeId,
        /// The id that the next node will get at least.
        next_node: NodeId,
    },
    /// Announce the next certificate authority, so that every node learns to trust it.
    RotateAuthority {
        /// Certificate (DER) of the one that signs now.
        replaces: Vec<u8>,
        /// The next one.
        next: Authority,
        /// The next one's certificate, signed by the one that signs now (DER).
        bridge: Vec<u8>,
    },
    /// Every node trusts the announced authority, whose certificate this is: it signs from now on.
    SignByNextAuthority(Vec<u8>),
    /// Every node has a certificate from the new authority: trust the one before, whose certificate this is, no longer.
    RetireAuthority(Vec<u8>),
    /// [`Command::CreateService`] with settings of its own.
    CreateServiceWith(ServiceDraft, Vec<Setting>),
    /// [`Command::UpdateService`] with settings that are said anew; a rollout is started where they bear on containers.
    UpdateServiceWith(ServiceId, ServicePatch, Vec<Setting>),
    /// A host has looked up which bytes a rollout is to run. The first answer counts.
    PinImage {
        /// Of which rollout.
        deployment: DeploymentId,
        /// Of the image's manifest or index.
        digest: String,
        /// How it is known.
        source: PinSource,
    },
    /// A client is about to run a command beside a replica. Changes nothing; it is on record.
    NoteExec {
        /// Of which service or worker.
        service: ServiceId,
        /// Beside which replica.
        replica: ReplicaId,
        /// The program, without its arguments.
        program: String,
    },
    /// Replace every replica of a service by a new one of the same revision, as a new deployment.
    RestartService {
        /// Which service or worker.
        service: ServiceId,
        /// A note for the new deployment.
        notes: String,
    },
    /// Let so many hosts join.
    CreateCountedJoinToken {
        /// SHA-256 of the token.
        hash: [u8; 32],
        /// From then on it is refused.
        expires_at: Timestamp,
        /// How many hosts may join with it.
        uses: u32,
    },
}
