//! What the cluster agrees on: its resources, the commands that change them, and the one place where they change.
//!
//! ```text
//! Envelope(Command) --decide(&State)--> Decision { changes, outcome }  or  Rejection
//! Change            --State::apply----> the next State
//! ```
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows which node it runs on: time, ids and entropy
//! arrive stamped in the [`Envelope`]. That is what makes every replica of the state machine reach the same state.

mod change;
mod command;
mod decide;
mod draft;
mod envelope;
mod fresh;
mod id;
mod node_view;
mod outcome;
mod rejection;
mod resource;
mod restore;
mod sealed;
mod state;
mod units;

pub use change::{Change, Key, Resource};
pub use command::{COMMAND_LEVEL, Command, PlanAction, ReplicaReport, level_of_version, leveled_version};
pub use decide::{Decision, decide, entry_changes};
pub use draft::{
    AccountPatch, ConfigDraft, ConfigItemPatch, ConfigPatch, DomainDraft, DomainPatch, NodeDraft, NodePatch,
    ProjectDraft, ProjectPatch, RouteDraft, RoutePatch, SealedAt, SealedItem, ServiceDraft, ServicePatch,
};
pub use envelope::{Actor, Charge, Credential, Envelope, Expect, Fingerprint, Submission, Warrant};
pub use fresh::uuid as fresh_uuid;
pub use id::{
    AccountId, ApiKeyId, ClusterId, ConfigId, ConfigItemId, DeploymentId, DomainId, JoinTokenId, NodeId, OperationId,
    ProjectId, ReplicaId, RouteId, SecretId, SecretItemId, SecretValueId, ServiceId, SessionId,
};
pub use node_view::{Assignment, ImageWanted, NodeView, RegistrySecret, Standby, node_view, standby_for};
pub use outcome::Outcome;
pub use rejection::{Field, Kind, Rejection};
pub use resource::{
    Account, ApiKey, Authority, AuthorityRotation, AuthorityStep, Capacity, Cluster, Config, ConfigItem, Constraint,
    ContainerSpec, Deployment, DeploymentSettings, DeploymentStatus, Domain, Event, EventId, HealthCheck, ImagePin,
    Intent, ItemChange, JoinToken, JoinTokenUses, KeyringState, Node, NodeStatus, NodeVoting, Operation, PasswordHash,
    Phase, PinSource, PlacementRules, Probe, Project, Quota, QuotaId, QuotaKind, Reason, Replica, Resources, Restart,
    RestartCondition, RestartPolicy, Route, Scope, Secret, SecretItem, SecretPin, SecretValue, Service, ServiceKind,
    ServiceSettings, ServiceSpec, Session, Setting, Settings, UpdatePolicy, Verb, Volume, Voting, named_digest,
    pinned_reference,
};
pub use restore::Refounding;
pub use sealed::{KeyVersion, Sealed};
pub use state::{Members, State};
pub use units::{ByteCount, Generation, Millicores, Revision, Timestamp};
