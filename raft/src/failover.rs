//! A leader whose process is gone need not be missed first: its kernel ends its connections at once and refuses new ones. A
//! follower that sees that forgets the leader and stands for election. It decides nothing alone: the others vote only once
//! they have seen it too, or have heard nothing for as long as always.

use std::sync::Arc;
use std::time::Duration;

use model::NodeId;
use openraft::raft::TransferLeaderRequest;

use crate::READ_LEASE_MAX;
use crate::cluster::Core;
use crate::propose;
use crate::server::Caller;
use crate::types::Metrics;

/// A leader may have answered reads under a lease until it ended, and not for longer than this after it was heard of.
pub(crate) const SILENCE: Duration = READ_LEASE_MAX.saturating_mul(2);
/// A heartbeat that is not there after this is late.
const MISSED: Duration = READ_LEASE_MAX;
/// How long a leader may still be heard of that refuses connections: what it sent last. One that speaks on is not gone.
const ECHO: Duration = SILENCE.saturating_mul(2);
/// How soon a host is asked again whose process ends: connections end a little before or after it stops to listen.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// How often it is asked.
const QUESTIONS: usize = 5;
/// How long a voter has for its election before the next one stands.
const TURN: Duration = Duration::from_millis(60);

/// A stream of a peer's entries or heartbeats, dropped when it ends.
pub(crate) struct LeaderStream {
    core: Arc<Core>,
    of: Option<NodeId>,
}

impl LeaderStream {
    pub(crate) fn new(core: Arc<Core>, caller: Option<Caller>) -> Self {
        let of = caller.map(|it| it.0);
        Self { core, of }
    }

    /// There was word on it.
    pub(crate) fn touch(&self) {
        self.core.contact.touch();
    }
}

impl Drop for LeaderStream {
    fn drop(&mut self) {
        if self.of.is_some() && self.of == self.core.leadership.borrow().leader {
            self.core.severed.notify_one();
        }
    }
}

/// Looks after the leader each time that a stream from it has ended.
pub(crate) async fn run(core: Arc<Core>) {
    loop {
        core.severed.notified().await;
        let seen = *core.leadership.borrow();
        let Some(leader) = seen.leader.filter(|_| !seen.is_self) else {
            continue;
        };
        tokio::select! {
            () = look_after(&core, leader) => {}
            () = propose::replaced(core.leadership.clone(), seen) => {}
        }
    }
}

async fn look_after(core: &Core, leader: NodeId) {
    // Streams also end because a member comes or goes; then the next heartbeat is not far.
    let is_silent = async |span| tokio::time::timeout(ECHO, silence(core, span)).await.is_ok();
    if !is_silent(MISSED).await || !is_gone(core, leader).await || !is_silent(SILENCE).await {
        return;
    }
    let metrics = core.metrics();
    let Some(turn) = turn(&metrics, core.node, leader) else {
        return;
    };
    tracing::info!(%leader, "the leader's host refuses connections: its process is gone, and this node does not wait for it");
    // To openraft this is a leader that hands over, and to no node that could take it up: that only ends its lease here.
    let forget = TransferLeaderRequest::new(metrics.vote, leader.0, None);
    if core.raft.handle_transfer_leader(forget).await.is_err() {
        return;
    }
    tokio::time::sleep(TURN * turn).await;
    // It asks first whether a majority would vote, as always.
    let _ = core.raft.trigger().elect(true).await;
}

/// Whether the host of a peer says that nobody listens there.
async fn is_gone(core: &Core, peer: NodeId) -> bool {
    for _ in 0..QUESTIONS {
        match core.links.is_refused_by(peer.0).await {
            Some(true) => return true,
            Some(false) => tokio::time::sleep(ASK_AGAIN).await,
            None => return false,
        }
    }
    false
}

/// Resolves once no leader has been heard of for so long.
async fn silence(core: &Core, span: Duration) {
    while let Some(left) = core
        .contact
        .age()
        .and_then(|age| span.checked_sub(age))
        .filter(|it| !it.is_zero())
    {
        tokio::time::sleep(left).await;
    }
}

/// How many voters stand before this one; `None` if it has no vote or `leader` does not lead.
fn turn(metrics: &Metrics, node: NodeId, leader: NodeId) -> Option<u32> {
    if metrics.current_leader != Some(leader.0) {
        return None;
    }
    // They come by their ids, each once.
    let mut others = metrics.membership_config.voter_ids().filter(|id| *id != leader.0);
    u32::try_from(others.position(|id| id == node.0)?).ok()
}
