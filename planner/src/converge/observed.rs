//! What a host sees of its own containers, and what it remembers of what it did to them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use model::{DeploymentId, Reason, ReplicaId};

use super::LookUp;

/// A moment on the host's own monotonic clock: the time since its agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    /// This moment, later by `span`.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

/// All that a host sees and remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Everything of ours on this host, wanted or not.
    pub instances: BTreeMap<ReplicaId, Instance>,
    /// By the reference that it is fetched by. An image that is missing here has not been looked at.
    pub images: BTreeMap<String, ImageState>,
    /// Of rollouts that are not pinned yet. One that is missing here has not been looked up.
    pub look_ups: BTreeMap<DeploymentId, LookUp>,
    /// Images to stand by with that could not be had: they are not asked for before then, unless something here needs them.
    pub put_off: BTreeMap<String, Moment>,
}

/// How an image stands on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// It is being fetched.
    Pulling,
    /// It is unpacked.
    Present,
    /// The last try to fetch it failed.
    Failed {
        /// Why.
        reason: Reason,
        /// When.
        at: Moment,
        /// How many tries failed in a row, this one included.
        attempts: u32,
    },
}

/// What is on the host for one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its container.
    pub container: ContainerState,
    /// Whether it holds an address and a network namespace.
    pub networked: bool,
    /// That address.
    pub address: Option<IpAddr>,
    /// Since when its process is known to run; `None` before it did.
    pub running_since: Option<Moment>,
    /// Whether it is fit for requests. Says nothing of one that nobody asks.
    pub health: Health,
    /// How often its container was started again.
    pub restarts: u32,
    /// How often in a row it ended by itself or could not be started; a good while of running sets it back.
    pub failures: u32,
    /// Why it last ended by itself or could not be started. Kept while it is started again, gone once it answers.
    pub failure: Option<Failure>,
    /// What keeps it from being started although it is not at fault itself, such as a locked keyring. It is tried again
    /// all the while, which counts neither as failure nor as restart.
    pub blocked: Option<Reason>,
    /// Seconds between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// How long its requests in flight may take to end, where that is said of it.
    pub drain: Option<Duration>,
    /// Its proxy has stopped sending to it, and requests in flight have ended or had their time.
    pub drained: bool,
    /// When it was sent SIGTERM.
    pub terminated_at: Option<Moment>,
    /// When it was last sent SIGKILL.
    pub killed_at: Option<Moment>,
    /// A step for it is under way.
    pub busy: bool,
    /// A step for it failed for reasons that are not its own; nothing is tried before then.
    pub hold_until: Option<Moment>,
}

/// How far a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerState {
    /// There is none.
    #[default]
    Absent,
    /// There is one that never ran, or whose process went with the host's last boot.
    Created,
    /// Its process lives.
    Running,
    /// Its process has ended.
    Exited,
}

/// Why a replica could not be started, or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Moment,
    /// In which way.
    pub cause: Cause,
}

/// In which way a replica came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It could not be started.
    NotStarted,
    /// It ended by itself.
    Ended {
        /// With exit code 0.
        cleanly: bool,
    },
    /// It was stopped because its health check went on failing.
    Unfit,
}

/// Whether a running container is fit for requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was found running and has not been asked yet: nothing is claimed about it.
    #[default]
    Unknown,
    /// It was started and has not proved it yet.
    Waiting,
    /// It is.
    Ready,
    /// It was, and is not now; it may be again.
    Unfit(Reason),
    /// It has not been for so long that it is to be started again.
    Failed(Reason),
}
