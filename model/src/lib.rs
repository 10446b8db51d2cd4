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
mod envelope;
mod id;
mod node_view;
mod outcome;
mod rejection;
mod resource;
mod sealed;
mod state;
mod units;

pub use change::{Change, Key, Resource};
pub use command::{
    Command, DomainDraft, NodeDraft, PlanAction, ProjectDraft, ProjectPatch, ReplicaReport, RouteDraft, RoutePatch,
    ServiceDraft, ServicePatch,
};
pub use decide::{Decision, decide, entry_changes};
pub use envelope::{Actor, Envelope};
pub use id::{
    AccountId, ApiKeyId, ClusterId, ConfigId, DeploymentId, DomainId, JoinTokenId, NodeId, OperationId, ProjectId,
    ReplicaId, RouteId, SecretId, ServiceId,
};
pub use node_view::{Assignment, NodeView, node_view};
pub use outcome::Outcome;
pub use rejection::{Field, Kind, Rejection};
pub use resource::{
    Account, ApiKey, Capacity, Cluster, ContainerSpec, Deployment, DeploymentStatus, Domain, Intent, JoinToken, Node,
    NodeStatus, Operation, Phase, Project, Reason, Replica, Resources, Route, Scope, Service, ServiceSpec,
};
pub use sealed::{KeyVersion, Sealed};
pub use state::State;
pub use units::{ByteCount, Generation, Millicores, Revision, Timestamp};
