//! What a node needs to know to start.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::NodeDraft;
use tonic::service::Routes;

/// What a node needs to know to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Holds everything this node remembers. Made if it does not exist.
    pub data_dir: PathBuf,
    /// Where to listen for peers; `draft.peer_addr` is what they are told.
    pub listen: SocketAddr,
    /// What this node says of itself.
    pub draft: NodeDraft,
    /// How it starts if its folder is empty. A folder with a node in it starts as that node, whatever is said here.
    pub start: Start,
    /// Intervals, deadlines and thresholds.
    pub timing: Timing,
    /// gRPC services of other rooms, served on the same port to nodes of this cluster only. They find out who has called
    /// by [`crate::Caller`].
    pub services: Option<Routes>,
}

/// How a node starts if its folder is empty.
#[derive(Clone, PartialEq, Eq)]
pub enum Start {
    /// It must not be empty: refuse to start.
    Existing,
    /// Found a new cluster of this one node.
    New {
        /// Name of the first account.
        admin: String,
        /// SHA-256 of its first API key.
        key_hash: [u8; 32],
    },
    /// Join a cluster.
    Join {
        /// `HOST:PORT` where any of its nodes listens for peers.
        addr: String,
        /// The join token, `gobj_<secret>_<digest of the cluster's authority>`.
        token: String,
    },
}

impl fmt::Debug for Start {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Existing => f.write_str("Existing"),
            Self::New { admin, .. } => f.debug_struct("New").field("admin", admin).finish_non_exhaustive(),
            Self::Join { addr, .. } => f.debug_struct("Join").field("addr", addr).finish_non_exhaustive(),
        }
    }
}

/// How long a leader may answer reads without asking a majority again. A node that has just started votes for nobody for
/// twice as long, whether it would do so itself or not.
pub const READ_LEASE_MAX: Duration = Duration::from_millis(100);

/// Intervals, deadlines and thresholds. A follower stands for election once it has heard nothing from a leader for
/// `election_max` plus a random time from `election_min` to `election_max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader says that it lives.
    pub heartbeat: Duration,
    /// See above. Longer than a few heartbeats and a slow fsync.
    pub election_min: Duration,
    /// See above; also how long a leader's lease lasts.
    pub election_max: Duration,
    /// How long a leader answers reads without asking a majority again, at most [`READ_LEASE_MAX`]; zero if it is to ask for
    /// each round of them. Safe while no clock runs twice as fast as another (see
    /// `docs/adr/0009-reads-under-a-lease.md`).
    pub read_lease: Duration,
    /// How long a start waits until this node has caught up with what it knew before it stopped. It goes on without
    /// when no majority can be reached, because running containers must not wait for that.
    pub recovery: Duration,
    /// How long [`crate::Cluster::submit`] tries.
    pub submit: Duration,
    /// How long [`crate::Cluster::read`] tries.
    pub read: Duration,
    /// How often a node renews its lease with the leader.
    pub lease_renewal: Duration,
    /// A voter that has not been heard of for this long gives its place to a healthy learner. Longer than a restart.
    pub voter_grace: Duration,
    /// A snapshot is taken each time this many entries have been applied since the last one, or as many as a quarter of the
    /// resources in that, if this is more.
    pub snapshot_after: u64,
    /// Entries kept in the log after a snapshot, for peers that lag a little.
    pub keep_after_snapshot: u64,
    /// How long certificates of nodes live that this node signs. They are renewed after two thirds of it.
    pub certificate_life: Duration,
    /// Batches of changes that a watcher may lag behind before it has to list again.
    pub watch_buffer: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(75),
            election_min: Duration::from_millis(150),
            election_max: Duration::from_millis(300),
            read_lease: Duration::ZERO,
            recovery: Duration::from_secs(5),
            submit: Duration::from_secs(5),
            read: Duration::from_secs(5),
            lease_renewal: Duration::from_millis(500),
            voter_grace: Duration::from_secs(30),
            snapshot_after: 50_000,
            keep_after_snapshot: 10_000,
            certificate_life: Duration::from_secs(7 * 24 * 3_600),
            watch_buffer: 1_024,
        }
    }
}
