//! Deploys under load: a service of twelve replicas on three hosts with real containers, everything that an operator or
//! an accident does to it, and what clients saw meanwhile.
//!
//! [`Stage`] is the cluster with the service; each function of [`scenario`] does one thing to it while [`crate::load`]
//! goes on, and gives an [`Outcome`]. The system tests assert on outcomes, the benchmark prints them.

mod outcome;
pub mod scenario;
mod stage;

pub use outcome::{Away, Outcome};
pub use stage::{HOSTNAME, REPLICAS, Replica, Stage, StageError};
