//! The resources, one file each: their table of fields, and how requests become commands.

mod api_keys;
pub mod authority;
pub mod cluster;
mod config_items;
mod configs;
mod deployments;
mod domains;
pub mod events;
pub mod explain;
pub mod health;
mod items;
mod join_tokens;
pub mod keyring;
mod nodes;
mod projects;
mod replicas;
pub mod rollback;
mod routes;
mod secret_items;
mod secrets;
mod services;
mod sets;
mod users;
mod workers;
mod workloads;

pub use api_keys::{ApiKeys, scope_word};
pub use config_items::ConfigItems;
pub use configs::Configs;
pub use deployments::{Deployments, ServiceDeployments, WorkerDeployments};
pub use domains::Domains;
pub use events::Events;
pub use join_tokens::JoinTokens;
pub use nodes::Nodes;
pub use projects::Projects;
pub use replicas::{Replicas, ReplicasOf, WorkerReplicas};
pub use routes::Routes;
pub use secret_items::SecretItems;
pub use secrets::Secrets;
pub use services::{Services, WithPort};
pub use users::Users;
pub use workers::{Background, Workers};
pub use workloads::{Workload, Workloads};

use crate::fields::Shape;

/// Code points of names, hostnames and other texts that the contract sets no limit for.
const TEXT_MAX: usize = 1024;
/// Such a text.
const TEXT: Shape = Shape::Text {
    max: TEXT_MAX,
    blank: false,
};
/// A text that is only shown, whatever it is.
const ANY_TEXT: Shape = Shape::Text {
    max: usize::MAX,
    blank: true,
};
/// A note for a deployment.
const NOTES: Shape = Shape::Text { max: 4096, blank: true };
