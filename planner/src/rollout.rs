//! Rolling out and keeping up one service: which replicas to place, which to retire, when a rollout has ended.

mod balance;
mod failure;
mod pace;
mod room;

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    Deployment, DeploymentStatus, Intent, Node, NodeId, Phase, PlanAction, Reason, Replica, ServiceId, ServiceSpec,
    State, Timestamp, UpdatePolicy,
};

pub use balance::{Balancing, MOST_MOVES, Move, Rebalance, rebalance};

use self::pace::{Count, Pace};
use crate::{Loads, Obstacle, Placement, place};

/// Items that change within this time of each other make one rollout.
const QUIET: Duration = Duration::from_millis(500);
/// How soon a service that is not as wanted is looked at again, besides at each change of it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What to do for one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePlan {
    /// In order; empty when nothing is to be done.
    pub actions: Vec<PlanAction>,
    /// When to look again even if nothing changes, because a deadline may pass by then.
    pub look_again: Option<Duration>,
}

/// Plans one service.
///
/// New replicas start before old ones stop, as far as the service's `update` does not say otherwise: at most
/// `wanted + surge` run at once, and an old one is retired only when those that remain and are ready are at least as many
/// as wanted. `loads` are those of `state`, and get this plan's
/// placements added. Costs as much as the service has replicas, however large the cluster is.
#[must_use]
pub fn plan_service(state: &State, id: ServiceId, loads: &mut Loads, now: Timestamp) -> ServicePlan {
    match Situation::read(state, id) {
        Some(situation) => situation.plan(loads, now),
        None => ServicePlan::default(),
    }
}

/// A service as the planner sees it.
pub(crate) struct Situation<'a> {
    state: &'a State,
    trouble: Option<&'a Reason>,
    /// When the last item changed that no rollout has brought yet.
    item_change: Option<Timestamp>,
    /// How rollouts go.
    update: UpdatePolicy,
    /// The newest deployment.
    pub(crate) newest: &'a Deployment,
    /// The deployment whose replicas should run: the newest, or the last good one when the newest has failed and that
    /// is to be brought back.
    pub(crate) target: &'a Deployment,
    /// Wanted replicas that run the target's spec, on nodes that are up.
    pub(crate) current: Vec<&'a Replica>,
    /// Wanted replicas of other specs, or on nodes that are being drained, on nodes that are up.
    pub(crate) old: Vec<&'a Replica>,
    /// Wanted replicas on nodes that are down or gone.
    pub(crate) lost: Vec<&'a Replica>,
    /// How many are on their way out on nodes that are up.
    stopping: usize,
}

impl<'a> Situation<'a> {
    pub(crate) fn read(state: &'a State, id: ServiceId) -> Option<Self> {
        let service = state.service(id)?;
        let newest = state.deployment(service.deployment)?;
        let update = state.settings_of(id).update;
        let target = target(state, newest, update);
        let is_up = |it: &&Replica| state.node(it.node).is_some_and(Node::is_up);
        let stopping = state.replicas_of(id).filter(|it| it.intent == Intent::Stop);
        let stopping = stopping.filter(is_up).count();
        let wanted = state.replicas_of(id).filter(|it| it.intent == Intent::Run);
        let (here, lost): (Vec<_>, Vec<_>) = wanted.partition(is_up);
        // What is on a node that is being drained serves until others do.
        let stays = |it: &&Replica| state.node(it.node).is_some_and(|node| !node.draining);
        let (current, old) = here
            .into_iter()
            .partition(|it| runs_spec_of(state, it, target) && stays(it));
        Some(Self {
            state,
            trouble: service.trouble.as_ref(),
            item_change: service.item_change.as_ref().map(|it| it.at),
            update,
            newest,
            target,
            current,
            old,
            lost,
            stopping,
        })
    }

    fn plan(&self, loads: &mut Loads, now: Timestamp) -> ServicePlan {
        loads.note_work(0, self.current.len() + self.old.len() + self.lost.len());
        if let Some(plan) = self.redeploy(now) {
            return plan;
        }
        let mut actions = Vec::new();
        let mut obstacles = self.place_missing(loads, &mut actions);
        let (floor, in_the_way) = self.floor(loads);
        if obstacles.is_empty() {
            obstacles = in_the_way;
        }
        self.retire_surplus(loads, &mut actions);
        self.retire_old(floor, &mut actions);
        self.finish(now, &mut actions);
        self.tell_trouble(obstacles, now, &mut actions);
        ServicePlan {
            actions,
            look_again: self.look_again(now),
        }
    }

    /// Changed items come before everything else: whatever runs now is about to be replaced. Until they have come to
    /// rest, the rollout that is under way goes on.
    fn redeploy(&self, now: Timestamp) -> Option<ServicePlan> {
        let quiet_since = now.since(self.item_change?);
        (quiet_since >= QUIET).then(|| ServicePlan {
            actions: vec![PlanAction::Redeploy],
            look_again: None,
        })
    }

    /// When the next look is due even if nothing changes.
    fn look_again(&self, now: Timestamp) -> Option<Duration> {
        let quiet = self.item_change.map(|at| QUIET.saturating_sub(now.since(at)));
        let settled = self.ready() >= self.wanted()
            && self.current.len() <= self.wanted()
            && self.old.is_empty()
            && self.lost.is_empty();
        let unsettled = (!settled).then_some(LOOK_AGAIN);
        quiet.into_iter().chain(unsettled).min()
    }

    pub(crate) fn wanted(&self) -> usize {
        usize::from(self.target.spec.replicas)
    }

    pub(crate) fn ready(&self) -> usize {
        self.current.iter().filter(|it| it.is_serving()).count()
    }

    fn pace(&self) -> Pace {
        Pace::new(self.update, self.wanted())
    }

    fn count(&self) -> Count {
        let ready = self.ready();
        Count {
            ready,
            starting: self.current.len() - ready,
            old: self.old.len(),
            stopping: self.stopping,
        }
    }

    /// Places what is missing, as far as the surge allows. A lost replica is given up only when another takes its
    /// place: if there is no room, it goes on where it was once its node is back.
    fn place_missing(&self, loads: &mut Loads, actions: &mut Vec<PlanAction>) -> Vec<(String, Obstacle)> {
        let missing = self.wanted().saturating_sub(self.current.len());
        let room = self.pace().room(self.count());
        let mut lost = self.lost.iter();
        let mut peers = self.peers();
        let mut obstacles = Vec::new();
        for _ in 0..missing.min(room) {
            match place(self.state, loads, &peers, self.target) {
                Placement::On(node) => {
                    loads.place(self.state, node, self.target);
                    *peers.entry(node).or_default() += 1;
                    actions.extend(lost.next().map(|it| PlanAction::Retire(it.id)));
                    actions.push(PlanAction::Place {
                        deployment: self.target.id,
                        node,
                    });
                }
                Placement::Nowhere(why) => {
                    obstacles = why;
                    break;
                }
            }
        }
        // What nobody misses any more.
        if missing == 0 {
            actions.extend(lost.map(|it| PlanAction::Retire(it.id)));
        }
        obstacles
    }

    /// How many replicas of the target's spec each node has.
    fn peers(&self) -> BTreeMap<NodeId, u32> {
        let mut peers = BTreeMap::new();
        for replica in &self.current {
            *peers.entry(replica.node).or_default() += 1;
        }
        peers
    }

    /// Retires replicas beyond those wanted: there are to be fewer, or one has moved. One that answers goes only when
    /// enough others do.
    fn retire_surplus(&self, loads: &Loads, actions: &mut Vec<PlanAction>) {
        let (mut stay, mut peers, mut ready) = (self.current.clone(), self.peers(), self.ready());
        while stay.len() > self.wanted() {
            let Some(place) = (0..stay.len()).max_by_key(|n| self.dispensable(stay[*n], &peers, loads)) else {
                return;
            };
            if stay[place].is_serving() {
                if ready <= self.wanted() {
                    return;
                }
                ready -= 1;
            }
            let goes = stay.remove(place);
            peers.entry(goes.node).and_modify(|it| *it -= 1);
            actions.push(PlanAction::Retire(goes.id));
        }
    }

    /// How well a replica can be spared; larger is better. First what has failed, or was on its way up when the number
    /// wanted changed; then where most of its peers are, then where there is least room. That one comes before "it does
    /// not answer yet" is what lets a move end: the replica that has just come is not the one to go.
    fn dispensable(&self, it: &Replica, peers: &BTreeMap<NodeId, u32>, loads: &Loads) -> impl Ord {
        let late = !it.is_serving() && it.created_at <= self.newest.deployed_at;
        (
            it.phase == Phase::Failed || late,
            peers.get(&it.node).copied().unwrap_or(0),
            loads.pressure(self.state, it.node),
            !it.is_serving(),
            it.node,
            it.id,
        )
    }

    /// How many have to answer, whatever is stopped. None is stopped for the sake of one that could not be placed anyway:
    /// then with what stands in the way.
    fn floor(&self, loads: &mut Loads) -> (usize, Vec<(String, Obstacle)>) {
        let pace = self.pace();
        if !pace.stops_first() || self.old.is_empty() || self.current.len() >= self.wanted() {
            return (self.wanted(), Vec::new());
        }
        match place(self.state, loads, &self.peers(), self.target) {
            Placement::Nowhere(why) if !why.iter().any(|(_, it)| it.is_want_of_room()) => (self.wanted(), why),
            Placement::Nowhere(_) | Placement::On(_) => (pace.floor(), Vec::new()),
        }
    }

    /// Replicas of another spec go as those of the target's take over.
    fn retire_old(&self, floor: usize, actions: &mut Vec<PlanAction>) {
        let (serving, idle): (Vec<&Replica>, Vec<&Replica>) = self.old.iter().copied().partition(|it| it.is_serving());
        actions.extend(idle.iter().map(|it| PlanAction::Retire(it.id)));
        let spare = (self.ready() + serving.len()).saturating_sub(floor);
        actions.extend(serving.iter().take(spare).map(|it| PlanAction::Retire(it.id)));
    }

    fn finish(&self, now: Timestamp, actions: &mut Vec<PlanAction>) {
        let complete = self.target.id == self.newest.id && self.ready() >= self.wanted();
        let pending = self.newest.status == DeploymentStatus::Pending;
        // A first deployment that failed, say because the registry was away, is still being tried; when it comes up
        // after all, it has succeeded.
        let recovered = self.newest.status == DeploymentStatus::Failed;
        let (status, error_message) = if complete && (pending || recovered) {
            (DeploymentStatus::Success, String::new())
        } else if let Some(why) = self.verdict(now).filter(|_| pending) {
            (DeploymentStatus::Failed, why)
        } else {
            return;
        };
        actions.push(PlanAction::Finish {
            deployment: self.newest.id,
            status,
            error_message,
        });
    }

    fn verdict(&self, now: Timestamp) -> Option<String> {
        failure::of_rollout(self.state, self.newest, &self.current, self.trouble, now)
    }

    fn tell_trouble(&self, obstacles: Vec<(String, Obstacle)>, now: Timestamp, actions: &mut Vec<PlanAction>) {
        let trouble = if self.ready() >= self.wanted() {
            None
        } else if !obstacles.is_empty() || self.state.nodes().next().is_none() {
            let missing = self.wanted() - self.current.len();
            Some(room::nowhere(self.state, self.target, missing, &obstacles))
        } else {
            failure::lasting(self.state, &self.current, now)
        };
        if trouble.as_ref() != self.trouble {
            actions.push(PlanAction::Trouble(trouble));
        }
    }
}

fn target<'a>(state: &'a State, newest: &'a Deployment, update: UpdatePolicy) -> &'a Deployment {
    if newest.status != DeploymentStatus::Failed || !update.auto_rollback {
        return newest;
    }
    let good = state
        .deployments_of(newest.service)
        .rev()
        .find(|it| it.status == DeploymentStatus::Success);
    good.unwrap_or(newest)
}

/// Whether a replica runs just what `target` would run. Changing only how many there are restarts none of them.
fn runs_spec_of(state: &State, replica: &Replica, target: &Deployment) -> bool {
    let one = |it: &ServiceSpec| ServiceSpec {
        replicas: 0,
        ..it.clone()
    };
    let bytes = |it: &Deployment| state.image_pin(it.id).map(|pin| pin.digest.as_str());
    // What could not even be looked up is tried anew by the next rollout, perhaps with other credentials.
    let is_known = bytes(target).is_some() || !state.pins_images() || replica.is_serving();
    replica.deployment == target.id
        || is_known
            && !is_restarted_since(state, replica, target)
            && state.deployment(replica.deployment).is_some_and(|it| {
                one(&it.spec) == one(&target.spec)
                    && bytes(it) == bytes(target)
                    && it.config_snapshot == target.config_snapshot
                    && it.secrets == target.secrets
                    && state
                        .pinned_settings(it.id)
                        .run_alike(&state.pinned_settings(target.id))
            })
}

/// Whether a deployment after that of the replica, up to `target`, was to replace all that runs.
fn is_restarted_since(state: &State, replica: &Replica, target: &Deployment) -> bool {
    let since = state.deployments_of(target.service).rev();
    since
        .skip_while(|it| it.version > target.version)
        .take_while(|it| it.version > replica.version)
        .any(|it| state.restart(it.id).is_some())
}

#[cfg(test)]
mod tests;
