//! What one host does: it makes its containers those that the cluster wants here, and tells what became of them.
//!
//! ```text
//! Wanted (watch) ----+
//! containerd events -+--> reconcile: Observed --planner::converge--> Steps --> Runtime, Network, Drainer
//! probes, a timer ---+                                       \-----> Reports --> outbox --> Reporter
//! ```
//!
//! The loop takes wake-ups, never payloads it would have to trust, and re-reads everything now and then. Steps of
//! different replicas run beside each other. Nothing is persisted here: after a restart the containers found on the
//! host, with their labels, are all there is to know, and they are kept running whatever happens to this process.

mod agent;
mod capacity;
mod containerd;
mod exec;
mod image;
mod logs;
mod network;
mod outbox;
mod ports;
mod probe;
mod reason;
mod reconcile;
mod runtime;
mod secret;
mod supervise;

pub use agent::{Agent, AgentConfig};
pub use capacity::capacity;
pub use containerd::{BadNamespace, Containerd, ContainerdConfig};
pub use exec::{Exec, ExecError, ExecInput, ExecOutput, ExecRequest, TerminalSize};
pub use image::{Content, Login, Progress, PullError};
pub use logs::{LogLimits, LogLine, LogPiece, LogQuery, LogStream, LogTail, Logs, Position, log_path};
pub use network::{Attachment, BadSubnet, BridgeNetwork, Network, NetworkConfig, NetworkError, Subnet};
pub use planner::Limits;
pub use ports::{Drainer, NoPeers, OpenError, Opener, PeerBlob, Peers, ReportError, Reporter, Roster, Wanted};
pub use runtime::{
    CommandEnd, Ending, Listed, OutOfMemory, RunRequest, Runtime, RuntimeError, RuntimeEvent, Signal, Task,
};
pub use secret::OpenSecret;
pub use supervise::{SuperviseConfig, SuperviseError, Supervisor};
