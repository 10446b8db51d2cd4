//! From a request to its answer, in the contract's order of checks.

mod dispatch;
mod handlers;
mod list;
mod paths;
mod pipeline;

pub use pipeline::router;
