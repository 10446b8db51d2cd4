//! Keeps the consensus membership what it should be: every node a member, and as many voters as the healthy nodes allow.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    // One change at a time: the last one must be committed, and have left its joint phase.
    let membership = metrics.membership_config.membership();
    if metrics.membership_config != metrics.committed_membership_config || membership.get_joint_config().len() != 1 {
        return None;
    }
    let state = core.published.state();
    let wanted = state.nodes().map(|node| {
        let peer = Peer {
            name: node.name.clone(),
            address: node.peer_addr.to_string(),
        };
        (node.id.0, peer)
    });
    let leases = core.leases.read();
    let now = Instant::now();
    let candidates = membership.learner_ids().map(|id| {
        let renewed = leases
            .as_ref()
            .and_then(|it| it.by_node.get(&model::NodeId(id)))
            .map(|it| it.renewed);
        let is_healthy = renewed.is_some_and(|it| now.saturating_duration_since(it) < HEALTHY);
        Candidate {
            id,
            is_healthy,
            lag: lag(&metrics, id),
        }
    });
    plan::next(&View {
        wanted: wanted.collect(),
        members: membership.nodes().map(|(id, peer)| (*id, peer.clone())).collect(),
        voters: membership.voter_ids().collect(),
        candidates: candidates.collect(),
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
        Step::AddVoters(ids) => {
            let ids: BTreeSet<u64> = ids;
            core.raft.change_membership(ChangeMembers::AddVoterIds(ids), true).await
        }
    };
    changed.map(|_| ()).map_err(|it| it.to_string())
}
