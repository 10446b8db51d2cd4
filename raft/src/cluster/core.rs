//! What the tasks of one node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{ClusterId, NodeDraft, NodeId};
use openraft::async_runtime::WatchReceiver;
use openraft::{Instant as _, ServerState};
use storage::{CredentialsFile, Keyring, Room, Snapshots};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::forward::Forwards;
use crate::leases::LeaseBook;
use crate::proposals::Proposals;
use crate::publish::Published;
use crate::read::{Rounds, ToLeader};
use crate::slept::Awake;
use crate::tls::Tls;
use crate::transport::{Links, Purpose};
use crate::types::{Metrics, Raft};
use crate::{Leadership, Member, Role, Status, Timing, Unavailable, autopilot, transport};

/// What the tasks of one node share.
pub(crate) struct Core {
    pub(crate) cluster: ClusterId,
    pub(crate) node: NodeId,
    pub(crate) keyring: Keyring,
    pub(crate) credentials: CredentialsFile,
    pub(crate) tls: Arc<Tls>,
    pub(crate) draft: NodeDraft,
    pub(crate) timing: Timing,
    pub(crate) raft: Raft,
    pub(crate) published: Arc<Published>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) links: Links,
    pub(crate) forwards: Forwards,
    pub(crate) proposals: Proposals,
    pub(crate) room: Room,
    pub(crate) leases: LeaseBook,
    pub(crate) contact: Contact,
    /// A stream from the leader has ended.
    pub(crate) severed: Notify,
    pub(crate) leadership: watch::Receiver<Leadership>,
    pub(crate) fatal: watch::Receiver<Option<String>>,
    /// Readers of this node, while another leads.
    pub(crate) reads: Rounds,
    pub(crate) to_leader: ToLeader,
    /// Readers of all nodes, while this one leads.
    pub(crate) leader_reads: Rounds,
    pub(crate) awake: Awake,
    pub(crate) started: Instant,
    pub(crate) stop: CancellationToken,
}

impl Core {
    /// A copy of openraft's metrics, which must never be kept borrowed.
    pub(crate) fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow_watched().clone()
    }

    /// Whether a node was a member once and is one no longer. One of whom this node has not heard yet is not: ids are
    /// counted upwards and never used twice, and a certificate is given to members only.
    pub(crate) fn is_removed(&self, node: NodeId) -> bool {
        let state = self.published.state();
        let was_given = state.cluster().is_some_and(|it| node < it.next_node);
        if !was_given || state.node(node).is_some() {
            return false;
        }
        self.metrics()
            .membership_config
            .membership()
            .get_node(&node.0)
            .is_none()
    }

    /// See [`crate::Cluster::channel_to`].
    pub(super) fn channel_to(&self, node: NodeId) -> Result<Channel, Unavailable> {
        let known = self.published.state().node(node).map(|it| it.peer_addr.to_string());
        let address = known.or_else(|| self.links.address_of(node.0));
        let address = address.ok_or_else(|| Unavailable(format!("node {node} is not known")))?;
        let link = self.links.to(node.0, &address, Purpose::Others);
        link.channel().map_err(|it| Unavailable(transport::describe(&it)))
    }

    pub(crate) fn staleness(&self) -> Option<Duration> {
        if self.leadership.borrow().is_self {
            // Asked with every write: no copy.
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            // A single voter is its own majority.
            let alone = metrics.membership_config.voter_ids().eq([self.node.0]);
            let acknowledged = metrics.last_quorum_acked.map(|it| it.elapsed());
            return if alone { Some(Duration::ZERO) } else { acknowledged };
        }
        self.contact.age()
    }

    pub(super) fn status(&self) -> Status {
        let metrics = self.metrics();
        let member = |id: u64| Member {
            id: NodeId(id),
            address: metrics
                .membership_config
                .get_node(&id)
                .map(|it| it.address.clone())
                .unwrap_or_default(),
            matched: matched(&metrics, id),
            lag: autopilot::lag(&metrics, id),
        };
        Status {
            cluster_id: self.cluster,
            node_id: self.node,
            term: metrics.current_term,
            leader: metrics.current_leader.map(NodeId),
            role: match metrics.state {
                ServerState::Leader => Role::Leader,
                ServerState::Follower => Role::Follower,
                ServerState::Learner => Role::Learner,
                ServerState::Candidate => Role::Candidate,
                ServerState::Shutdown => Role::Stopped,
            },
            commit_index: metrics.local_committed.map(|it| it.index),
            applied_index: metrics.last_applied.map(|it| it.index),
            last_log_index: metrics.last_log_index,
            snapshot_index: metrics.snapshot.map(|it| it.index),
            purged_index: metrics.purged.map(|it| it.index),
            voters: metrics.membership_config.voter_ids().map(member).collect(),
            learners: metrics
                .membership_config
                .membership()
                .learner_ids()
                .map(member)
                .collect(),
        }
    }

    pub(super) async fn fatal(&self) -> String {
        let mut fatal = self.fatal.clone();
        let reason = fatal.wait_for(Option::is_some).await.ok().and_then(|it| it.clone());
        match reason {
            Some(reason) => reason,
            // An orderly end.
            None => std::future::pending().await,
        }
    }
}

/// The last entry that a member is known to have, if this node leads.
pub(super) fn matched(metrics: &Metrics, id: u64) -> Option<u64> {
    Some(metrics.replication.as_ref()?.get(&id)?.as_ref()?.index)
}

/// When this node last had word from a leader.
#[derive(Debug)]
pub(crate) struct Contact {
    origin: Instant,
    /// Milliseconds after the origin; zero if never.
    last: AtomicU64,
}

impl Contact {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    /// There is word from a leader now.
    pub(crate) fn touch(&self) {
        let elapsed = u64::try_from(self.origin.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.last.fetch_max(elapsed, Ordering::Relaxed);
    }

    /// How long ago that was; `None` if never.
    pub(crate) fn age(&self) -> Option<Duration> {
        let last = self.last.load(Ordering::Relaxed);
        (last > 0).then(|| self.origin.elapsed().saturating_sub(Duration::from_millis(last)))
    }
}
