//! What the agent needs of whatever runs containers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use model::{ByteCount, DeploymentId, Reason, ReplicaId, ServiceId, ServiceSpec, Settings};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::image::{Login, PullError};
use crate::reason::{self, chain};
use crate::secret::OpenSecret;

/// Runs containers. One container a replica; carrying anything out twice does no harm.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Every container of ours on this host, whether a task runs in it or not.
    async fn list(&self) -> Result<Vec<Listed>, RuntimeError>;

    /// The container of a replica, as a list would show it now.
    async fn find(&self, replica: ReplicaId) -> Result<Option<Listed>, RuntimeError>;

    /// Asks the registry for the digest that an image's name stands for now.
    async fn look_up(&self, image: &str, login: Option<&Login>) -> Result<String, RuntimeError>;

    /// Fetches and unpacks an image; quick when it is here already.
    async fn pull(&self, image: &str, login: Option<&Login>) -> Result<(), RuntimeError>;

    /// Whether the disk has room for images that nothing here runs.
    async fn has_room(&self) -> bool;

    /// Creates and starts a container of an image that was pulled. When it fails nothing of it is left.
    async fn run(&self, request: &RunRequest) -> Result<(), RuntimeError>;

    /// Sends a signal to the container's first process; one that is gone is no error.
    async fn signal(&self, replica: ReplicaId, signal: Signal) -> Result<(), RuntimeError>;

    /// Removes the container, its task and its writable layer, killing it if it still runs.
    async fn remove(&self, replica: ReplicaId) -> Result<(), RuntimeError>;

    /// What happens to containers, from now on. May be called once or more; each caller gets everything.
    fn events(&self) -> mpsc::Receiver<RuntimeEvent>;

    /// What is known of the end of a container that has ended.
    async fn ending(&self, replica: ReplicaId, restarts: u32) -> Ending;

    /// Runs a command in a running container, to its end or until `limit`, when it is killed.
    async fn check(&self, replica: ReplicaId, command: &[String], limit: Duration) -> Result<CommandEnd, RuntimeError>;
}

/// What is known of the end of a container, besides its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The last lines that it printed, oldest first.
    pub last_lines: Vec<String>,
    /// The kernel killed in it what had used too much memory.
    pub out_of_memory: Option<OutOfMemory>,
}

/// A container used more memory than it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Than it may, where that is known.
    pub limit: Option<ByteCount>,
}

/// How a command in a container came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    /// It ended with this exit code, and printed this line last.
    Exited(u32, String),
    /// It took too long and was killed; what it printed last.
    TimedOut(String),
    /// It could not be run; says why.
    NotRun(String),
    /// The container does not run any more.
    Gone,
}

/// A signal that stops a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Please end.
    Terminate,
    /// End.
    Kill,
}

/// All that is needed to run one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRequest {
    /// Which one; also the container's name.
    pub replica: ReplicaId,
    /// Whose replica it is.
    pub service: ServiceId,
    /// That service's name.
    pub service_name: String,
    /// The rollout it belongs to.
    pub deployment: DeploymentId,
    /// That rollout's version number.
    pub version: u32,
    /// What to run.
    pub spec: ServiceSpec,
    /// What to run it with beyond that.
    pub settings: Settings,
    /// Keys and values of the service's config, added to the environment.
    pub config: BTreeMap<String, String>,
    /// The values of its secret, which the container gets as files and in its environment.
    pub secrets: Vec<OpenSecret>,
    /// How often it has been started again, this time included.
    pub restarts: u32,
    /// Name of this node, for people.
    pub node_name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its network namespace.
    pub netns: PathBuf,
}

/// A container as found on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose container it is.
    pub replica: ReplicaId,
    /// Whether its process lives.
    pub task: Task,
    /// The address it was given.
    pub address: Option<Ipv4Addr>,
    /// How often it had been started again when it was started.
    pub restarts: u32,
    /// Between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// How long its requests in flight may take to end, where its service says that.
    pub drain: Option<Duration>,
}

/// The process of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// There is none: it never ran, or the host was started again.
    None,
    /// It lives.
    Running,
    /// It has ended.
    Exited {
        /// 128 + N after signal N.
        code: u32,
    },
}

/// Something happened to containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// A container's first process has ended.
    Exited {
        /// Whose.
        replica: ReplicaId,
        /// 128 + N after signal N.
        code: u32,
    },
    /// Events may have been missed: list everything again.
    Missed,
}

/// Why a container could not be pulled, started or stopped.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// containerd does not answer. Containers live on without it.
    #[error(
        "containerd at {socket} does not answer; see that it runs and that this daemon may open its socket (containers \
         that run already are not affected)"
    )]
    Unavailable {
        /// Where it should be.
        socket: String,
        /// What it said, if anything.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The image cannot be had.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The image went missing after it was pulled; it will be pulled again.
    #[error("the image `{image}` is no longer unpacked on this host; it is fetched again")]
    ImageGone {
        /// As the service writes it.
        image: String,
    },
    /// The container could not be started for a reason of its own.
    #[error("{message}")]
    Start {
        /// Which kind of reason: one of `crate::reason`'s codes.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// No room.
    #[error("the disk under {path} is full; make room there, for example by removing old logs")]
    DiskFull {
        /// Where room is needed.
        path: PathBuf,
    },
    /// containerd refused something that should have worked.
    #[error("containerd failed to {doing}")]
    Refused {
        /// What it was asked.
        doing: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The values of its secret could not be put where the container finds them.
    #[error("cannot keep secrets in memory at {path}; the daemon has to run as root and be allowed to mount there")]
    Secrets {
        /// Where they should be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file of ours could not be written.
    #[error("cannot write {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl RuntimeError {
    /// Whether containerd is away, so that nothing can be said of any container.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Pull(error) => error.is_unavailable(),
            Self::ImageGone { .. }
            | Self::Start { .. }
            | Self::DiskFull { .. }
            | Self::Refused { .. }
            | Self::Secrets { .. }
            | Self::File { .. } => false,
        }
    }

    /// Whether a registry has failed to answer, so that it does not say no either.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Pull(error) if error.is_silence())
    }

    /// What to tell the user of a replica that cannot be started because of it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let code = match self {
            Self::Unavailable { .. } => reason::CONTAINERD_UNAVAILABLE,
            Self::Pull(error) => error.code(),
            Self::ImageGone { .. } => reason::IMAGE_NOT_FOUND,
            Self::DiskFull { .. } => reason::DISK_FULL,
            Self::Start { code, .. } => *code,
            Self::Refused { .. } | Self::Secrets { .. } | Self::File { .. } => reason::START_FAILED,
        };
        reason::reason(code, chain(self))
    }
}
