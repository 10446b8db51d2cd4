//! Rolling out and keeping up one service: which replicas to place, which to retire, when a rollout has ended.

mod failure;

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    Deployment, DeploymentStatus, Intent, Node, PlanAction, Reason, Replica, ServiceId, ServiceSpec, State, Timestamp,
};

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
/// New replicas start before old ones stop: at most `wanted + surge` run at once, and an old one is retired only when
/// those that remain and are ready are at least as many as wanted. `loads` is made when it is first needed.
#[must_use]
pub fn plan_service(state: &State, id: ServiceId, loads: &mut Option<Loads>, now: Timestamp) -> ServicePlan {
    match Situation::read(state, id) {
        Some(situation) => situation.plan(loads, now),
        None => ServicePlan::default(),
    }
}

/// A service as the planner sees it.
struct Situation<'a> {
    state: &'a State,
    trouble: Option<&'a Reason>,
    /// When the last item changed that no rollout has brought yet.
    item_change: Option<Timestamp>,
    /// The newest deployment.
    newest: &'a Deployment,
    /// The deployment whose replicas should run: the newest, or the last good one when the newest has failed.
    target: &'a Deployment,
    /// Wanted replicas that run the target's spec, on nodes that are up.
    current: Vec<&'a Replica>,
    /// Wanted replicas of other specs, or on nodes that are being drained, on nodes that are up.
    old: Vec<&'a Replica>,
    /// Wanted replicas on nodes that are down or gone.
    lost: Vec<&'a Replica>,
}

impl<'a> Situation<'a> {
    fn read(state: &'a State, id: ServiceId) -> Option<Self> {
        let service = state.service(id)?;
        let newest = state.deployment(service.deployment)?;
        let target = target(state, newest);
        let is_up = |it: &&Replica| state.node(it.node).is_some_and(Node::is_up);
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
            newest,
            target,
            current,
            old,
            lost,
        })
    }

    fn plan(&self, loads: &mut Option<Loads>, now: Timestamp) -> ServicePlan {
        if let Some(plan) = self.redeploy(now) {
            return plan;
        }
        let mut actions = Vec::new();
        let obstacles = self.place_missing(loads, &mut actions);
        self.retire_surplus(&mut actions);
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
        let settled = self.ready() >= self.wanted() && self.old.is_empty() && self.lost.is_empty();
        let unsettled = (!settled).then_some(LOOK_AGAIN);
        quiet.into_iter().chain(unsettled).min()
    }

    fn wanted(&self) -> usize {
        usize::from(self.target.spec.replicas)
    }

    fn ready(&self) -> usize {
        self.current.iter().filter(|it| it.is_serving()).count()
    }

    /// Places what is missing, as far as the surge allows. A lost replica is given up only when another takes its
    /// place: if there is no room, it goes on where it was once its node is back.
    fn place_missing(&self, loads: &mut Option<Loads>, actions: &mut Vec<PlanAction>) -> Vec<(String, Obstacle)> {
        let missing = self.wanted().saturating_sub(self.current.len());
        let surge = self.wanted().div_ceil(4).max(1);
        let room = (self.wanted() + surge).saturating_sub(self.current.len() + self.old.len());
        let mut lost = self.lost.iter();
        let mut peers = BTreeMap::new();
        self.current
            .iter()
            .for_each(|it| *peers.entry(it.node).or_default() += 1);
        let mut obstacles = Vec::new();
        for _ in 0..missing.min(room) {
            let loads = loads.get_or_insert_with(|| Loads::of(self.state));
            match place(self.state, loads, &peers, self.target) {
                Placement::On(node) => {
                    loads.place(node, self.target);
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

    fn retire_surplus(&self, actions: &mut Vec<PlanAction>) {
        let mut surplus: Vec<_> = self.current.clone();
        // Those that answer stay, then those that came first.
        surplus.sort_by_key(|it| (!it.is_serving(), it.id));
        actions.extend(surplus.iter().skip(self.wanted()).map(|it| PlanAction::Retire(it.id)));
        let (serving, idle): (Vec<&Replica>, Vec<&Replica>) = self.old.iter().copied().partition(|it| it.is_serving());
        actions.extend(idle.iter().map(|it| PlanAction::Retire(it.id)));
        let spare = (self.ready() + serving.len()).saturating_sub(self.wanted());
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
            Some(failure::no_room(
                self.wanted() - self.current.len(),
                self.wanted(),
                &obstacles,
            ))
        } else {
            failure::lasting(self.state, &self.current, now)
        };
        if trouble.as_ref() != self.trouble {
            actions.push(PlanAction::Trouble(trouble));
        }
    }
}

fn target<'a>(state: &'a State, newest: &'a Deployment) -> &'a Deployment {
    if newest.status != DeploymentStatus::Failed {
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
    replica.deployment == target.id
        || state.deployment(replica.deployment).is_some_and(|it| {
            one(&it.spec) == one(&target.spec)
                && it.config_snapshot == target.config_snapshot
                && it.secrets == target.secrets
        })
}

#[cfg(test)]
mod tests;
