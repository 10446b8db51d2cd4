//! The REST API: paths, credentials, the checking of requests, and what answers look like.
//!
//! ```text
//! Request -> path -> format, Accept -> credentials -> permission -> method -> id, filter, page -> body -> fields
//!         -> Command -> ControlPlane::submit -> State -> view -> Answer
//! ```
//!
//! The order of the checks and the texts are a contract with clients that exist; every text is in [`texts`]. Each
//! resource is one table of [`fields`] (`resources/`), which drives checking, showing and ordering alike. The cluster
//! is behind the [`ControlPlane`] port.

mod answer;
mod auth;
mod config;
mod docs;
mod errors;
mod events;
mod exec;
pub mod fields;
#[doc(hidden)]
pub mod fuzz;
pub mod json;
mod logs;
mod meter;
mod output;
mod port;
mod request;
mod resource;
mod resources;
mod router;
mod scalars;
mod schema;
pub mod texts;
pub mod view;

pub use config::{ApiConfig, RateLimit};
pub use errors::FieldErrors;
pub use output::Out;
pub use port::{
    Authorities, AuthorityHeld, AuthorityNode, AuthorityView, BackupFault, BackupStream, Backups, ClusterView,
    ControlPlane, ExecFault, ExecInput, ExecOutput, ExecRequest, ExecSession, Execs, ExplainedNode, ExplainedRemedy,
    ExplainedReplica, Explanation, HealthView, KeyringFault, KeyringHeld, KeyringNode, KeyringView, Keyrings, LogLine,
    LogPiece, LogSource, Logs, LogsFault, LogsRequest, MemberView, NodeHealth, PullProgress, Pulls, Readiness, Said,
    SealError, Sealer, SubmitError, Submitted, TerminalSize, TransferFault, Unavailable,
};
pub use router::router;
