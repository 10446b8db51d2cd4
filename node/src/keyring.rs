//! The cluster's keys on all of its nodes: each node's keyring follows the replicated state, which says which versions
//! there are and which passphrase guards them; the keys themselves pass between nodes beside it.
//!
//! ```text
//! rotate:   new key on a majority's disks -> RotateKey -> the authority's key goes under it -> every node seals by it
//!           -> all values go under it, a batch at a time -> RetireKeys -> every node drops the old key
//! ```
//!
//! Which of two keys is the new one, should two rotations have run against each other, is decided by the entry that
//! puts the authority's key under one of them. A node seals by a key only after it has opened the authority with it.

mod admin;
mod backup;
mod fault;
mod follow;
mod holding;
mod lock;
mod peers;
mod proto;
mod rewrap;
mod rotate;
mod service;

use std::time::Duration;

use model::KeyVersion;
use raft::Cluster;
use storage::Keyring;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::timeout;

pub(crate) use holding::Holding;
use peers::Peers;
pub(crate) use service::Slot;

/// How long a request waits for a key that has not reached this node yet.
const OBTAIN: Duration = Duration::from_secs(5);

/// The keys of all nodes, as one node looks after them.
pub(crate) struct Keyrings {
    cluster: Cluster,
    keyring: Keyring,
    peers: Peers,
    /// Held while an operator's request is carried out: they follow each other.
    asked: Mutex<()>,
    /// Has the keyring looked at now.
    nudge: Notify,
    /// Counts what was changed here to follow the state.
    followed: watch::Sender<u64>,
}

impl Keyrings {
    /// Looks after the keyring of this node.
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self {
            keyring: cluster.keyring(),
            peers: Peers(cluster.clone()),
            cluster,
            asked: Mutex::default(),
            nudge: Notify::new(),
            followed: watch::Sender::default(),
        }
    }

    /// Waits, not for long, until a key is here that a value in the state is under. It may not come: whoever asked
    /// finds out when it opens the value.
    pub(crate) async fn obtain(&self, version: KeyVersion) {
        let is_here = || {
            let status = self.keyring.status();
            // What is locked gets nothing, and what was retired does not come back.
            status.locked || status.versions.contains(&version) || status.retired.contains(&version)
        };
        if is_here() {
            return;
        }
        let mut followed = self.followed.subscribe();
        self.nudge.notify_one();
        let _ = timeout(OBTAIN, followed.wait_for(|_| is_here())).await;
    }
}
