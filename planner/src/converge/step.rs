//! What a host is told to do.

use std::time::Duration;

use model::{DeploymentId, ReplicaId, ReplicaReport};

use super::Moment;

/// One thing to do. Carrying it out twice does no harm.
///
/// Steps sort in this order: what ends comes before what begins, so that room is made first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Send SIGKILL: its grace is over.
    Kill {
        /// To which container.
        replica: ReplicaId,
    },
    /// Send SIGTERM.
    Terminate {
        /// To which container.
        replica: ReplicaId,
    },
    /// Have the proxy stop sending to it and wait for requests in flight.
    Drain {
        /// For which container.
        replica: ReplicaId,
        /// How long at most.
        limit: Duration,
        /// How long at most for connections that have changed their protocol, such as WebSockets.
        tunnels: Duration,
    },
    /// Remove a container that has ended or never ran, with its writable layer.
    Remove {
        /// Which one.
        replica: ReplicaId,
    },
    /// Give back the address and the network namespace of a container that is gone.
    ReleaseAddress {
        /// Whose.
        replica: ReplicaId,
    },
    /// Give it an address, create its container and start it.
    Run {
        /// Which replica.
        replica: ReplicaId,
        /// How often it has been started again, this time included.
        restarts: u32,
    },
    /// Ask the registry which bytes a rollout's image is, and tell the cluster.
    LookUp {
        /// Which rollout.
        deployment: DeploymentId,
        /// As the service writes it.
        image: String,
        /// The digest to tell if the registry still does not answer.
        or_else: Option<String>,
    },
    /// Fetch and unpack an image. Named once however many replicas wait for it.
    Pull {
        /// With its digest, where the rollout is pinned to one.
        image: String,
    },
    /// Fetch and unpack an image that nothing here waits for, if there is room.
    Prefetch {
        /// With its digest.
        image: String,
    },
}

/// What to do now, what to tell the cluster, and when to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sorted; at most one for each replica, each rollout and each image.
    pub steps: Vec<Step>,
    /// Where the cluster's record of a replica differs from what this host sees, sorted by replica.
    pub reports: Vec<ReplicaReport>,
    /// The next moment at which this plan would be another although nothing happened.
    pub wake_at: Option<Moment>,
}
