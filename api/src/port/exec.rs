//! Running a command beside a replica, on whichever node.

use async_trait::async_trait;
use bytes::Bytes;
use model::{NodeId, ReplicaId};
use thiserror::Error;
use tokio::sync::mpsc;

/// Runs commands beside replicas.
#[async_trait]
pub trait Execs: Send + Sync + 'static {
    /// Starts one. It is killed as soon as either end of the session is dropped.
    ///
    /// # Errors
    /// See [`ExecFault`].
    async fn exec(&self, request: ExecRequest) -> Result<ExecSession, ExecFault>;
}

/// What to run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Beside which replica.
    pub replica: ReplicaId,
    /// Where that is.
    pub node: NodeId,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// On a terminal of this size.
    pub terminal: Option<TerminalSize>,
    /// Whether it is to be given input.
    pub stdin: bool,
}

/// Of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// What goes to the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecInput {
    /// Bytes for its standard input.
    Stdin(Bytes),
    /// Nothing more for its standard input.
    EndOfStdin,
    /// Its terminal has another size.
    Resize(TerminalSize),
}

/// What comes from the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecOutput {
    /// From its standard output, or its terminal.
    Stdout(Bytes),
    /// From its standard error.
    Stderr(Bytes),
    /// It has ended; the last thing that comes.
    Ended {
        /// 128 + N after signal N.
        code: u32,
    },
    /// Its host has gone, and whether it has ended is not known; the last thing that comes.
    Lost {
        /// What is known of the cause.
        why: String,
    },
}

/// A process that runs.
#[derive(Debug)]
pub struct ExecSession {
    /// What it is to be given.
    pub input: mpsc::Sender<ExecInput>,
    /// What it gives.
    pub output: mpsc::Receiver<ExecOutput>,
}

/// Why nothing was run.
#[derive(Clone, Debug, Error)]
pub enum ExecFault {
    /// The replica does not run, or no longer.
    #[error("{0}")]
    NotRunning(String),
    /// The program could not be started.
    #[error("{message}")]
    NotStarted {
        /// What a shell would answer.
        code: u32,
        /// Why.
        message: String,
    },
    /// Its host does not answer, or could not do it.
    #[error("{0}")]
    Unavailable(String),
}
