//! Keeps the consensus membership what it should be: every node a member, no node that was removed, and as many voters as
//! the healthy nodes allow.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{NodeId, Voting};
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;

use self::plan::{Candidate, Step, View};
use crate::cluster::Core;
use crate::types::{Metrics, Peer};

/// Looks at least this often, because a node that catches up makes no change that would wake it.
const INTERVAL: Duration = Duration::from_millis(500);
/// A change needs a majority; without one it is tried again later.
const CHANGE_LIMIT: Duration = Duration::from_secs(10);
/// A node whose last heartbeat is older is not made a voter.
const HEALTHY: Duration = Duration::from_secs(2);

/// Changes the membership step by step while this node leads.
pub(crate) async fn run(core: Arc<Core>) {
    let mut watch = core.published.watch();
    let mut leadership = core.leadership.clone();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            woken = watch.changed() => if woken.is_err() { return },
            woken = leadership.changed() => if woken.is_err() { return },
            () = core.stop.cancelled() => return,
        }
        while leadership.borrow_and_update().is_self
            && let Some(step) = look(&core)
        {
            tracing::info!(?step, "changing the membership");
            let done = tokio::time::timeout(CHANGE_LIMIT, take(&core, step)).await;
            if let Err(reason) = done.unwrap_or_else(|_| Err("no majority has accepted it in time".to_owned())) {
                tracing::warn!(reason, "the membership was not changed, trying again later");
                break;
            }
        }
    }
}

/// What is to be done next, if anything.
fn look(core: &Core) -> Option<Step> {
    let metrics = core.raft.metrics().borrow_watched().clone();
    // One change at a time: the last one must be committed.
    let membership = metrics.membership_config.membership();
    if metrics.membership_config != metrics.committed_membership_config {
        return None;
    }
    // A leader before this one was lost between the two halves of a change; the second is this one's to do.
    if let Some(step) = plan::unfinished(membership.get_joint_config()) {
        return Some(step);
    }
    let state = core.published.state();
    let wanted: BTreeMap<u64, Peer> = state
        .nodes()
        .map(|node| {
            let peer = Peer {
                name: node.name.clone(),
                address: node.peer_addr.to_string(),
            };
            (node.id.0, peer)
        })
        .collect();
    let is_removed = |id: &u64| state.cluster().is_some_and(|it| *id < it.next_node.0) && !wanted.contains_key(id);
    let silence = silences(core)?;
    // Not heard of since this node leads: silent for as long as it leads.
    let silent = |id: u64| silence.by_node.get(&id).copied().unwrap_or(silence.all);
    let was_heard = |id: u64| silence.by_node.get(&id).is_some_and(|it| *it < HEALTHY);
    let is_full = |id: u64| silence.full.contains(&id);
    let is_resting = |id: u64| state.node(NodeId(id)).is_none_or(|it| !it.schedulable || it.draining);
    let candidates = membership.learner_ids().map(|id| Candidate {
        id,
        is_healthy: was_heard(id) && !is_full(id),
        lag: lag(&metrics, id),
    });
    let me = core.node.0;
    let others = || membership.voter_ids().filter(|id| *id != me);
    let wished = |voting: Voting| -> BTreeSet<u64> {
        let nodes = state.node_votings().filter(|it| it.voting == voting);
        nodes.map(|it| it.id.0).collect()
    };
    let (always, never) = (wished(Voting::Always), wished(Voting::Never));
    let could_lead = |id: &u64| was_heard(*id) && !is_resting(*id) && !is_full(*id) && !never.contains(id);
    let mut successors: Vec<u64> = others().filter(could_lead).collect();
    successors.sort_by_key(|id| lag(&metrics, *id).unwrap_or(u64::MAX));
    plan::next(&View {
        leader: me,
        // Where all are to rest, somebody has to lead all the same: then there is no successor. A leader whose disk is full
        // takes no writes.
        is_draining: is_resting(me) || core.room.is_full(),
        removed: membership
            .nodes()
            .map(|(id, _)| *id)
            .filter(|id| is_removed(id))
            .collect(),
        members: membership.nodes().map(|(id, peer)| (*id, peer.clone())).collect(),
        voters: membership.voter_ids().collect(),
        dead: others().filter(|id| silent(*id) > core.timing.voter_grace).collect(),
        candidates: candidates.collect(),
        successors,
        wanted,
        always,
        never,
    })
}

/// For how long nodes have not been heard of.
struct Silences {
    by_node: BTreeMap<u64, Duration>,
    /// Since when this node leads.
    all: Duration,
    /// Those that have said that their disk is full.
    full: BTreeSet<u64>,
}

fn silences(core: &Core) -> Option<Silences> {
    let leases = core.leases.read()?;
    let now = Instant::now();
    let since = |then: Instant| now.saturating_duration_since(then);
    Some(Silences {
        by_node: leases
            .by_node
            .iter()
            .map(|(id, it)| (id.0, since(it.renewed)))
            .collect(),
        all: since(leases.leading_since),
        full: leases
            .by_node
            .iter()
            .filter(|(_, it)| it.full)
            .map(|(id, _)| id.0)
            .collect(),
    })
}

/// How many entries a peer lacks, if this node leads.
pub(crate) fn lag(metrics: &Metrics, id: u64) -> Option<u64> {
    let matched = metrics.replication.as_ref()?.get(&id)?.as_ref()?.index;
    Some(metrics.last_log_index.unwrap_or(0).saturating_sub(matched))
}

async fn take(core: &Core, step: Step) -> Result<(), String> {
    let changed = match step {
        Step::AddLearner(id, peer) => core.raft.add_learner(id, peer, false).await,
        Step::SetPeer(id, peer) => {
            core.raft
                .change_membership(ChangeMembers::SetNodes(BTreeMap::from([(id, peer)])), true)
                .await
        }
        Step::SetVoters(ids) => {
            core.raft
                .change_membership(ChangeMembers::ReplaceAllVoters(ids), true)
                .await
        }
        Step::Remove(ids) => {
            core.raft
                .change_membership(ChangeMembers::RemoveNodes(ids), false)
                .await
        }
        Step::HandOver(to) => {
            return core
                .hand_over_to(NodeId(to))
                .await
                .map(drop)
                .map_err(|it| it.to_string());
        }
    };
    changed.map(|_| ()).map_err(|it| it.to_string())
}
