//! The resources of a cluster, one file each. All are plain data: they serialise, compare and print, nothing more.

mod account;
mod cluster;
mod deployment;
mod domain;
mod node;
mod project;
mod replica;
mod route;
mod service;

pub use account::{Account, ApiKey, Scope};
pub use cluster::{Cluster, JoinToken, Operation};
pub use deployment::{Deployment, DeploymentStatus};
pub use domain::Domain;
pub use node::{Capacity, Node, NodeStatus};
pub use project::Project;
pub use replica::{Intent, Phase, Reason, Replica};
pub use route::Route;
pub use service::{ContainerSpec, Resources, Service, ServiceSpec};
