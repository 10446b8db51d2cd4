//! Running a command beside the first process of a container.

use bytes::Bytes;
use model::{Reason, ReplicaId};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::runtime::RuntimeError;

/// What to run, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// In the container of which replica.
    pub replica: Option<ReplicaId>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// On a terminal of this size; standard output and error are one then.
    pub terminal: Option<TerminalSize>,
    /// Whether it is to be given input; without it reads nothing.
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
    /// It has ended, and nothing comes any more.
    Ended {
        /// 128 + N after signal N.
        code: u32,
    },
}

/// A process that runs. It is killed, with all of its process group, as soon as either end is dropped.
#[derive(Debug)]
pub struct Exec {
    /// What it is to be given.
    pub input: mpsc::Sender<ExecInput>,
    /// What it gives.
    pub output: mpsc::Receiver<ExecOutput>,
}

/// Why nothing was run.
#[derive(Debug, Error)]
pub enum ExecError {
    /// There is no container, or its process has ended.
    #[error("replica {0} does not run right now; see `goblins ps` for one that does")]
    NotRunning(ReplicaId),
    /// The program could not be started; says why.
    #[error("{message}")]
    NotStarted {
        /// What a shell would answer: 127 if there is no such program, 126 if it cannot be run.
        code: u32,
        /// Why.
        message: String,
    },
    /// containerd did not do it.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl ExecError {
    /// With its causes, on one line.
    #[must_use]
    pub fn text(&self) -> String {
        let Reason { message, .. } = match self {
            Self::Runtime(error) => error.reason(),
            other => return other.to_string(),
        };
        message
    }
}
