//! What must hold of every plan for a service, whatever made it. The planner's tests run it on all that they plan.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Deployment, DeploymentId, DeploymentStatus, Intent, Node, NodeId, PlanAction, Replica, ReplicaId, ServiceId,
    Settings, State, UpdatePolicy,
};
use thiserror::Error;

use crate::placement::obstacle;
use crate::{Loads, Obstacle, ServicePlan};

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A replica would be placed where it cannot go.
    #[error("a replica is placed on node {node}, which {obstacle}")]
    BadPlace {
        /// Where.
        node: NodeId,
        /// Why not.
        obstacle: Obstacle,
    },
    /// A replica would be placed on a node that does not exist.
    #[error("a replica is placed on node {0}, which is not there")]
    NoSuchNode(NodeId),
    /// A deployment of another service, or none at all.
    #[error("deployment {0} is none of this service's")]
    ForeignDeployment(DeploymentId),
    /// A replica of another service, one that is on its way out already, or one named twice.
    #[error("replica {0} is not one to retire")]
    NotToRetire(ReplicaId),
    /// More would run at once than the surge allows, although nothing forces it.
    #[error("{running} replicas would run at once, more than {most}")]
    TooMany {
        /// How many.
        running: usize,
        /// How many may.
        most: usize,
    },
    /// Replicas that answer would go before others do.
    #[error("only {left} replicas would answer, of {before} that do and {wanted} wanted")]
    TooFew {
        /// How many would be left.
        left: usize,
        /// How many answer now.
        before: usize,
        /// How many are wanted.
        wanted: usize,
    },
    /// A replica of what is wanted would stop and start again on the same node.
    #[error("a replica on node {0} would be stopped and started for nothing")]
    Churn(NodeId),
    /// A rollout would be said to have ended that has not, or has long.
    #[error("the rollout is said to have ended as {0:?}, which is not so")]
    NotEnded(DeploymentStatus),
    /// Something that is the case already.
    #[error("nothing would be changed by {0:?}")]
    Idle(PlanAction),
    /// A new rollout comes alone: whatever else is planned is for one that it replaces.
    #[error("a new rollout begins together with other changes")]
    NotAlone,
}

/// Everything that is wrong with a plan for service `id`; empty for a good one. `surge` is how many more than wanted may
/// run at once, where the service's own `update` does not say.
#[must_use]
pub fn check(state: &State, id: ServiceId, plan: &ServicePlan, surge: usize) -> Vec<Violation> {
    let mut check = Check {
        state,
        id,
        loads: Loads::of(state),
        placed: BTreeMap::new(),
        retired: BTreeSet::new(),
        wrong: Vec::new(),
    };
    for action in &plan.actions {
        check.action(action, plan.actions.len() == 1);
    }
    check.whole(surge);
    check.wrong
}

struct Check<'a> {
    state: &'a State,
    id: ServiceId,
    loads: Loads,
    placed: BTreeMap<NodeId, usize>,
    retired: BTreeSet<ReplicaId>,
    wrong: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn action(&mut self, action: &PlanAction, alone: bool) {
        match action {
            PlanAction::Place { deployment, node } => self.place(*deployment, *node),
            PlanAction::Retire(replica) => {
                let known = self.state.replica(*replica);
                let good = known.is_some_and(|it| it.service == self.id && it.intent == Intent::Run);
                if !self.retired.insert(*replica) || !good {
                    self.wrong.push(Violation::NotToRetire(*replica));
                }
            }
            PlanAction::Forget(replica) => {
                if self.state.replica(*replica).is_none_or(|it| it.service != self.id) {
                    self.wrong.push(Violation::NotToRetire(*replica));
                }
            }
            PlanAction::Finish { deployment, status, .. } => self.finish(*deployment, *status),
            PlanAction::Redeploy if !alone => self.wrong.push(Violation::NotAlone),
            PlanAction::Redeploy => {}
            PlanAction::Trouble(reason) => {
                if self.state.service(self.id).is_some_and(|it| it.trouble == *reason) {
                    self.wrong.push(Violation::Idle(action.clone()));
                }
            }
        }
    }

    fn place(&mut self, deployment: DeploymentId, node: NodeId) {
        let Some(deployment) = self.own(deployment) else {
            return self.wrong.push(Violation::ForeignDeployment(deployment));
        };
        let Some(known) = self.state.node(node) else {
            return self.wrong.push(Violation::NoSuchNode(node));
        };
        let rules = self.state.pinned_settings(deployment.id).placement;
        if let Some(obstacle) = obstacle(known, &self.loads, deployment, &rules) {
            self.wrong.push(Violation::BadPlace { node, obstacle });
        }
        self.loads.place(self.state, node, deployment);
        *self.placed.entry(node).or_default() += 1;
    }

    fn finish(&mut self, deployment: DeploymentId, status: DeploymentStatus) {
        let newest = self.state.service(self.id).map(|it| it.deployment);
        let known = self.own(deployment).filter(|it| Some(it.id) == newest);
        let good = known.is_some_and(|it| match (it.status, status) {
            (DeploymentStatus::Pending | DeploymentStatus::Failed, DeploymentStatus::Success) => {
                self.serving().filter(|replica| runs(self.state, replica, it)).count() >= usize::from(it.spec.replicas)
            }
            (DeploymentStatus::Pending, DeploymentStatus::Failed) => true,
            _ => false,
        });
        if !good {
            self.wrong.push(Violation::NotEnded(status));
        }
    }

    /// What holds of all actions together.
    fn whole(&mut self, surge: usize) {
        let Some(service) = self.state.service(self.id) else {
            return;
        };
        let newest = self.state.deployment(service.deployment);
        let wanted = newest.map_or(0, |it| usize::from(it.spec.replicas));
        let goes = |it: &&Replica| self.retired.contains(&it.id);
        let here: Vec<_> = self.running().filter(|it| self.is_up(it.node)).collect();
        let (before, left) = (here.len(), here.iter().filter(|it| !goes(it)).count());
        let placed: usize = self.placed.values().sum();
        // Those that stay while others come: what is retired now is still on its way out when they start.
        let update = self.state.settings_of(self.id).update;
        let surge = update.max_surge.map_or(surge, usize::from);
        // Where there may be no surplus, so many at a time go before others come.
        let dip = if surge == 0 {
            update.parallelism.map_or(1, usize::from)
        } else {
            0
        };
        let (running, most) = (before + placed, (self.most_wanted(wanted) + surge).max(before));
        let answering = |all: &[&Replica]| all.iter().filter(|it| it.is_serving()).count();
        let serving = answering(&here);
        let still = here.iter().filter(|it| it.is_serving() && !goes(it)).count();
        let mut wrong = Vec::new();
        if placed > 0 && running > most {
            wrong.push(Violation::TooMany { running, most });
        }
        if still < serving.min(self.least_wanted(wanted).saturating_sub(dip)) {
            let (left, before) = (still, serving);
            wrong.push(Violation::TooFew { left, before, wanted });
        }
        let churned = here.iter().filter(|it| goes(it) && self.placed.contains_key(&it.node));
        let same = churned.filter(|it| newest.is_some_and(|newest| runs(self.state, it, newest)) && left > 0);
        wrong.extend(same.map(|it| Violation::Churn(it.node)));
        self.wrong.extend(wrong);
    }

    /// A service whose newest rollout has failed has the number of the last good one, which may be smaller ...
    fn least_wanted(&self, newest: usize) -> usize {
        self.last_good().unwrap_or(newest).min(newest)
    }

    /// ... or larger.
    fn most_wanted(&self, newest: usize) -> usize {
        self.last_good().unwrap_or(newest).max(newest)
    }

    fn last_good(&self) -> Option<usize> {
        let mut all = self.state.deployments_of(self.id).rev();
        let good = all.find(|it| it.status == DeploymentStatus::Success)?;
        Some(usize::from(good.spec.replicas))
    }

    fn own(&self, id: DeploymentId) -> Option<&'a Deployment> {
        self.state.deployment(id).filter(|it| it.service == self.id)
    }

    fn running(&self) -> impl Iterator<Item = &'a Replica> {
        self.state.replicas_of(self.id).filter(|it| it.intent == Intent::Run)
    }

    fn serving(&self) -> impl Iterator<Item = &'a Replica> {
        self.running().filter(|it| it.is_serving() && self.is_up(it.node))
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.state.node(node).is_some_and(Node::is_up)
    }
}

/// Whether a replica was made for `deployment`, or for one that differs only in how many there are.
fn runs(state: &State, replica: &Replica, deployment: &Deployment) -> bool {
    let what = |it: &Deployment| {
        (
            it.spec.image.clone(),
            state.image_pin(it.id).map(|it| it.digest.clone()),
            it.spec.container.clone(),
            it.config_snapshot.clone(),
            it.secrets.clone(),
            Settings {
                update: UpdatePolicy::default(),
                registry_secret: None,
                ..state.pinned_settings(it.id)
            },
        )
    };
    let is_known = state.image_pin(deployment.id).is_some() || !state.pins_images() || replica.is_serving();
    replica.deployment == deployment.id
        || is_known && state.deployment(replica.deployment).map(what) == Some(what(deployment))
}

#[cfg(test)]
mod tests;
