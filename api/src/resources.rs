//! The resources, one file each: their table of fields, and how requests become commands.

mod api_keys;
pub mod cluster;
mod deployments;
mod domains;
mod join_tokens;
mod nodes;
mod projects;
mod replicas;
mod routes;
mod services;

pub use api_keys::ApiKeys;
pub use deployments::Deployments;
pub use domains::Domains;
pub use join_tokens::JoinTokens;
pub use nodes::Nodes;
pub use projects::Projects;
pub use replicas::Replicas;
pub use routes::Routes;
pub use services::Services;

/// Code points of names, hostnames and other texts that the contract sets no limit for.
const TEXT_MAX: usize = 1024;
