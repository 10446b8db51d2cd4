//! What replicas have printed, on all nodes.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::{NodeId, ReplicaId, ServiceId};
use thiserror::Error;

/// Reads logs.
#[async_trait]
pub trait Logs: Send + Sync + 'static {
    /// One stream over all replicas on all nodes. What had been printed before it began comes by time; it ends then, unless
    /// it follows.
    ///
    /// # Errors
    /// See [`LogsFault`].
    async fn read(&self, request: LogsRequest) -> Result<BoxStream<'static, Vec<LogPiece>>, LogsFault>;
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogsRequest {
    /// Of which service or worker.
    pub service: ServiceId,
    /// Only the replica that has this id, or whose id ends like this.
    pub replica: Option<String>,
    /// Nothing before this, in nanoseconds since 1970.
    pub since: u64,
    /// At most the last lines, of all replicas together.
    pub tail: Option<usize>,
    /// Go on with what is printed later.
    pub follow: bool,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The host's logger, which has something to say of the log itself.
    Notice,
}

/// A line that a replica has printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Which replica.
    pub replica: ReplicaId,
    /// The version of its deployment; 0 if that is not known any more.
    pub version: u32,
    /// Where it runs, or ran.
    pub node: NodeId,
    /// When, in nanoseconds since 1970, by the clock of its host.
    pub at: u64,
    /// Where it came from.
    pub source: LogSource,
    /// The text, without its end of line.
    pub text: Bytes,
}

/// A piece of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPiece {
    /// A line.
    Line(LogLine),
    /// A node does not answer: lines of its replicas are missing from here on.
    Silent {
        /// Which node.
        node: NodeId,
        /// What is known of the cause.
        why: String,
    },
    /// A node answers again; what was missing follows.
    Back {
        /// Which node.
        node: NodeId,
    },
    /// About so many bytes were removed on their host before they could be sent.
    Lost {
        /// Where.
        node: NodeId,
        /// Of which replica.
        replica: ReplicaId,
        /// How much.
        bytes: u64,
    },
    /// There were more lines to be had, but they are too large together.
    Cut,
    /// All that had been printed when the stream began has been sent.
    CaughtUp,
}

/// Why no logs can be read.
#[derive(Clone, Debug, Error)]
pub enum LogsFault {
    /// As many streams are open as a node serves at a time.
    #[error("This node serves {0} streams of logs already. Ask another node, or again later.")]
    Busy(usize),
}
