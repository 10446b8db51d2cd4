//! From a request to its answer, in the contract's order of checks.

mod authority;
mod backup;
mod basis;
pub mod call;
mod condition;
mod dispatch;
mod handlers;
mod keyring;
pub mod list;
pub mod paths;
mod pipeline;
mod probes;
mod promise;

pub use pipeline::router;
