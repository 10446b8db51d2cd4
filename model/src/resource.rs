//! The resources of a cluster, one file each. All are plain data: they serialise, compare and print, nothing more.

mod account;
mod authority;
mod cluster;
mod config;
mod deployment;
mod domain;
mod event;
mod health_check;
mod image_pin;
mod node;
mod project;
mod quota;
mod replica;
mod restart;
mod route;
mod service;
mod settings;
mod voting;

pub use account::{Account, ApiKey, PasswordHash, Scope, Session};
pub use authority::{AuthorityRotation, AuthorityStep};
pub use cluster::{Authority, Cluster, JoinToken, JoinTokenUses, KeyringState, Operation};
pub use config::{Config, ConfigItem, Secret, SecretItem, SecretValue};
pub use deployment::{Deployment, DeploymentStatus, SecretPin};
pub use domain::Domain;
pub use event::{Event, EventId, Verb};
pub use health_check::{HealthCheck, Probe};
pub use image_pin::{ImagePin, PinSource, named_digest, pinned_reference};
pub use node::{Capacity, Node, NodeStatus};
pub use project::Project;
pub use quota::{Quota, QuotaId, QuotaKind};
pub use replica::{Intent, Phase, Reason, Replica};
pub use restart::Restart;
pub use route::Route;
pub use service::{ContainerSpec, ItemChange, Resources, Service, ServiceKind, ServiceSpec};
pub use settings::{
    Constraint, DeploymentSettings, PlacementRules, RestartCondition, RestartPolicy, ServiceSettings, Setting,
    Settings, UpdatePolicy, Volume,
};
pub use voting::{NodeVoting, Voting};
