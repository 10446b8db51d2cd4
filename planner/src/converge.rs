//! What one host does next so that its containers become those of its view.
//!
//! [`converge`] looks at what is wanted and what is there and names at most one step for each replica: the next one.
//! The host carries it out, notes what came of it in [`Observed`], and asks again. Steps of different replicas do not
//! wait for each other; a replica whose step is under way ([`Instance::busy`]) is left alone until it has ended.
//!
//! The order of a stop: the replica has left its own proxy's table already (its intent is `Stop`) -> drain -> SIGTERM
//! -> grace -> SIGKILL -> remove -> release the address. A container that no assignment wants is stopped the same way.

mod backoff;
mod look_up;
mod observed;
mod report;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{Assignment, Deployment, DeploymentId, ImageWanted, Intent, NodeView, ReplicaId, Standby};

pub use backoff::{is_started_again, pull_delay, restart_delay, settle_time};
pub use look_up::{LookUp, LookUpStage};
pub use observed::{Cause, ContainerState, Failure, Health, ImageState, Instance, Moment, Observed};
pub use step::{Plan, Step};

/// The time spans that a host works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long requests in flight may take to end before a container is told to stop, where its service does not say.
    pub drain: Duration,
    /// How long connections that have changed their protocol, such as WebSockets, may.
    pub drain_tunnels: Duration,
    /// After this long a SIGKILL that had no effect is repeated.
    pub kill_again: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(30),
            drain_tunnels: Duration::from_secs(5 * 60),
            kill_again: Duration::from_secs(5),
        }
    }
}

/// The next steps of a host, sorted, with what it has to report.
///
/// `may_start` is false until this host has caught up with the cluster: its view may then be an old one, so nothing is
/// started and nothing that the view lacks is stopped; what runs is kept.
#[must_use]
pub fn converge(view: &NodeView, observed: &Observed, may_start: bool, now: Moment, limits: &Limits) -> Plan {
    let mut round = Round {
        observed,
        may_start,
        now,
        limits,
        plan: Plan::default(),
        pulls: BTreeSet::new(),
        look_ups: BTreeMap::new(),
    };
    let nothing = Instance::default();
    for assignment in &view.assignments {
        let id = assignment.replica.id;
        let instance = observed.instances.get(&id).unwrap_or(&nothing);
        if let Some(report) = report::report(assignment, instance, observed, &mut round) {
            round.plan.reports.push(report);
        }
        match wants_to_run(assignment) {
            Some(deployment) => round.run(assignment, deployment, instance),
            None => round.stop(id, instance),
        }
    }
    if may_start {
        let assigned: BTreeSet<_> = view
            .assignments
            .iter()
            .map(|assignment| assignment.replica.id)
            .collect();
        for (id, instance) in observed.instances.iter().filter(|(id, _)| !assigned.contains(id)) {
            round.stop(*id, instance);
        }
    }
    if may_start {
        round.stand_by(view);
    }
    round.finish()
}

/// What a replica that is to run belongs to; `None` for one that is to stop.
fn wants_to_run(assignment: &Assignment) -> Option<&Deployment> {
    let deployment = assignment.deployment.as_ref()?;
    (assignment.replica.intent == Intent::Run).then_some(deployment)
}

struct Round<'a> {
    observed: &'a Observed,
    may_start: bool,
    now: Moment,
    limits: &'a Limits,
    plan: Plan,
    pulls: BTreeSet<String>,
    look_ups: BTreeMap<DeploymentId, Step>,
}

impl Round<'_> {
    fn run(&mut self, assignment: &Assignment, deployment: &Deployment, it: &Instance) {
        if it.busy || !self.may_start || !self.due(it.hold_until) {
            return;
        }
        let (id, policy) = (assignment.replica.id, assignment.settings.restart);
        if it.container == ContainerState::Running {
            // A stop that has begun is gone through with, whatever the health checks say meanwhile.
            let is_stopping = it.drained || it.terminated_at.is_some();
            let is_unfit = matches!(it.health, Health::Failed(_)) && is_started_again(policy, Cause::Unfit);
            if is_stopping || is_unfit {
                self.stop_running(id, it);
            }
            return;
        }
        if let Some(failure) = &it.failure {
            let retry_at = failure.at.after(restart_delay(it.failures, policy));
            if !is_started_again(policy, failure.cause) || !self.due(Some(retry_at)) {
                return;
            }
        }
        match it.container {
            ContainerState::Created | ContainerState::Exited => self.step(Step::Remove { replica: id }),
            ContainerState::Absent | ContainerState::Running => {
                if self.image_is_here(assignment, deployment) {
                    let seen = it.restarts.max(assignment.replica.restarts);
                    let restarts = if it.failure.is_some() {
                        seen.saturating_add(1)
                    } else {
                        seen
                    };
                    self.step(Step::Run { replica: id, restarts });
                }
            }
        }
    }

    fn image_is_here(&mut self, assignment: &Assignment, deployment: &Deployment) -> bool {
        if let ImageWanted::LookUp { known } = &assignment.image {
            self.look_up(deployment, known.as_ref());
        }
        let Some(image) = assignment.image_reference() else {
            return false;
        };
        match self.observed.images.get(&image) {
            Some(ImageState::Present) => return true,
            Some(ImageState::Pulling) => {}
            Some(ImageState::Failed { at, attempts, .. }) => {
                if self.due(Some(at.after(pull_delay(*attempts)))) {
                    self.pulls.insert(image);
                }
            }
            None => {
                self.pulls.insert(image);
            }
        }
        false
    }

    fn stop(&mut self, id: ReplicaId, it: &Instance) {
        if it.busy || !self.due(it.hold_until) {
            return;
        }
        match it.container {
            ContainerState::Running => self.stop_running(id, it),
            ContainerState::Created | ContainerState::Exited => self.step(Step::Remove { replica: id }),
            ContainerState::Absent if it.networked => self.step(Step::ReleaseAddress { replica: id }),
            ContainerState::Absent => {}
        }
    }

    fn stop_running(&mut self, id: ReplicaId, it: &Instance) {
        if !it.drained {
            let limit = it.drain.unwrap_or(self.limits.drain);
            // Nobody waits long for what a container that is not well still has open.
            let tunnels = match it.health {
                Health::Failed(_) => limit,
                // What the host says holds, shorter than that of requests or not; a service may say more.
                _ => self.limits.drain_tunnels.max(it.drain.unwrap_or_default()),
            };
            return self.step(Step::Drain {
                replica: id,
                limit,
                tunnels,
            });
        }
        let Some(terminated_at) = it.terminated_at else {
            return self.step(Step::Terminate { replica: id });
        };
        let kill_at = match it.killed_at {
            Some(killed_at) => killed_at.after(self.limits.kill_again),
            None => terminated_at.after(it.stop_grace),
        };
        if self.due(Some(kill_at)) {
            self.step(Step::Kill { replica: id });
        }
    }

    fn step(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    /// Whether this moment has come; if not, the plan is made again when it has.
    fn due(&mut self, at: Option<Moment>) -> bool {
        let Some(at) = at.filter(|at| *at > self.now) else {
            return true;
        };
        self.plan.wake_at = Some(self.plan.wake_at.map_or(at, |earlier| earlier.min(at)));
        false
    }

    /// One image at a time, and only while nothing that is wanted here waits for one.
    fn stand_by(&mut self, view: &NodeView) {
        let fetching = |it: &ImageState| *it == ImageState::Pulling;
        let is_busy = !self.pulls.is_empty() || !self.look_ups.is_empty();
        if is_busy || self.observed.images.values().any(fetching) {
            return;
        }
        for Standby { image, .. } in &view.standby {
            // One that failed is needed here, and tried again for that.
            let is_known = self.observed.images.contains_key(image);
            if !is_known && self.due(self.observed.put_off.get(image).copied()) {
                return self.step(Step::Prefetch { image: image.clone() });
            }
        }
    }

    fn finish(self) -> Plan {
        let Self {
            mut plan,
            pulls,
            look_ups,
            ..
        } = self;
        plan.steps.extend(look_ups.into_values());
        plan.steps.extend(pulls.into_iter().map(|image| Step::Pull { image }));
        plan.steps.sort();
        plan
    }
}

#[cfg(test)]
mod tests;
