//! What this host sees and remembers of its containers, put together from lists, verdicts and the ends of steps.

mod looks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use model::{Assignment, DeploymentId, NodeView, ReplicaId};
use planner::{
    Cause, ContainerState, Failure, Health, ImageState, Instance, LookUp, LookUpStage, Moment, Observed, Step,
};

use self::looks::Note;
pub(super) use self::looks::{Listing, Sight, addresses};
use super::carry::Outcome;
use super::credentials::{Changed, Credentials};
use crate::probe::{Turn, Verdict};

/// When an image that nobody waits for is asked for again.
const PUT_OFF: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Table {
    observed: Observed,
    notes: BTreeMap<ReplicaId, Note>,
    failed_pulls: BTreeMap<String, u32>,
    credentials: Credentials,
    /// To be looked at by themselves.
    suspects: BTreeSet<ReplicaId>,
    clock: u64,
    complete: bool,
}

impl Table {
    pub(super) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Whether everything was looked at once. Nothing can be decided before.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// What is looked at from now on is newer than everything noted so far.
    pub(super) fn stamp(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Drops replicas of which nothing is left, and images that nobody waits for.
    pub(super) fn forget_except(&mut self, view: &NodeView) {
        let assigned: BTreeSet<_> = view.assignments.iter().map(|it| it.replica.id).collect();
        let left = |it: &Instance| it.busy || it.networked || it.container != ContainerState::Absent;
        self.observed
            .instances
            .retain(|id, it| left(it) || assigned.contains(id));
        self.notes.retain(|id, _| self.observed.instances.contains_key(id));
        let images: BTreeSet<_> = view
            .assignments
            .iter()
            .filter_map(Assignment::image_reference)
            .chain(view.standby.iter().map(|it| it.image.clone()))
            .collect();
        let kept = |image: &str, state: &ImageState| *state == ImageState::Pulling || images.contains(image);
        self.observed.images.retain(|image, state| kept(image, state));
        let rollouts: BTreeSet<_> = view.assignments.iter().map(|it| it.replica.deployment).collect();
        self.observed
            .look_ups
            .retain(|id, it| it.stage == LookUpStage::UnderWay || rollouts.contains(id));
        self.observed.put_off.retain(|image, _| images.contains(image));
        self.failed_pulls
            .retain(|image, _| self.observed.images.contains_key(image));
    }

    /// What was refused to credentials that have changed since is asked for again at once.
    pub(super) fn heed_credentials(&mut self, view: &NodeView) {
        for Changed { rollout, image } in self.credentials.renew(view) {
            let has_failed = |it: &ImageState| matches!(it, ImageState::Failed { .. });
            if let Some(image) = image.filter(|it| self.observed.images.get(it).is_some_and(has_failed)) {
                self.observed.images.remove(&image);
                self.failed_pulls.remove(&image);
            }
            let is_over = |it: &LookUp| matches!(it.stage, LookUpStage::Failed(_));
            if self.observed.look_ups.get(&rollout).is_some_and(is_over) {
                self.observed.look_ups.remove(&rollout);
            }
        }
    }

    /// A step is under way.
    pub(super) fn begin(&mut self, step: &Step) {
        match target(step) {
            Target::Replica(replica) => {
                let it = self.observed.instances.entry(replica).or_default();
                it.busy = true;
                it.hold_until = None;
                self.note_change(replica, step, true);
            }
            Target::Image(image) => {
                self.observed.images.insert(image.to_owned(), ImageState::Pulling);
            }
            Target::Rollout(deployment) => {
                self.observed.look_ups.entry(deployment).or_default().stage = LookUpStage::UnderWay;
            }
        }
    }

    fn note_change(&mut self, replica: ReplicaId, step: &Step, changing: bool) {
        let changes = match step {
            Step::Run { .. } | Step::Remove { .. } | Step::ReleaseAddress { .. } => true,
            Step::Drain { .. }
            | Step::Terminate { .. }
            | Step::Kill { .. }
            | Step::LookUp { .. }
            | Step::Pull { .. }
            | Step::Prefetch { .. } => false,
        };
        if changes {
            let changed = self.stamp();
            let note = self.notes.entry(replica).or_default();
            (note.changed, note.changing) = (changed, changing);
        }
    }

    /// A step has ended.
    pub(super) fn end(&mut self, step: &Step, outcome: Outcome, now: Moment, hold_until: Moment) {
        match target(step) {
            Target::Replica(replica) => {
                self.note_change(replica, step, false);
                self.end_step(replica, step, outcome, now, hold_until);
            }
            Target::Image(image) => match (step, &outcome) {
                (Step::Pull { .. }, _) | (_, Outcome::Fine) => self.end_pull(image, outcome, now),
                // Nobody waits for it. Who does from now on asks at once.
                _ => {
                    tracing::debug!(image, ?outcome, "an image to stand by with cannot be had");
                    self.observed.images.remove(image);
                    self.observed.put_off.insert(image.to_owned(), now.after(PUT_OFF));
                }
            },
            Target::Rollout(deployment) => self.end_look_up(deployment, outcome, now),
        }
    }

    fn end_step(&mut self, replica: ReplicaId, step: &Step, outcome: Outcome, now: Moment, hold_until: Moment) {
        let it = self.observed.instances.entry(replica).or_default();
        it.busy = false;
        it.blocked = None;
        if let (Step::Run { restarts, .. }, false) = (step, matches!(outcome, Outcome::Blocked(_))) {
            // Even a start that failed may have got as far as the network.
            it.networked = true;
            it.restarts = *restarts;
        }
        match outcome {
            Outcome::Fine => done(it, step, now),
            Outcome::Started {
                address,
                stop_grace,
                drain,
            } => {
                it.running_since = Some(now);
                it.container = ContainerState::Running;
                it.address = Some(IpAddr::V4(address));
                (it.stop_grace, it.drain) = (stop_grace, drain);
                it.health = Health::Waiting;
                (it.drained, it.terminated_at, it.killed_at) = (false, None, None);
            }
            Outcome::Failed(reason) => match step {
                Step::Run { .. } => {
                    it.failures = it.failures.saturating_add(1);
                    it.failure = Some(Failure {
                        reason,
                        at: now,
                        cause: Cause::NotStarted,
                    });
                }
                _ => hold(it, replica, step, &reason.message, hold_until),
            },
            Outcome::Away(reason) => hold(it, replica, step, &reason.message, hold_until),
            Outcome::Held(why) => hold(it, replica, step, &why, hold_until),
            Outcome::Blocked(reason) => {
                it.blocked = Some(reason);
                it.hold_until = Some(hold_until);
            }
            Outcome::ImageGone(image) => {
                self.observed.images.remove(&image);
                it.hold_until = Some(hold_until);
            }
        }
    }

    fn end_pull(&mut self, image: &str, outcome: Outcome, now: Moment) {
        let mut failed = |reason| {
            let attempts = self.failed_pulls.entry(image.to_owned()).or_default();
            *attempts = attempts.saturating_add(1);
            ImageState::Failed {
                reason,
                at: now,
                attempts: *attempts,
            }
        };
        let state = match outcome {
            Outcome::Failed(reason) | Outcome::Away(reason) | Outcome::Blocked(reason) => failed(reason),
            Outcome::Held(why) => failed(crate::reason::reason(crate::reason::REGISTRY_ERROR, why)),
            Outcome::Fine | Outcome::Started { .. } | Outcome::ImageGone(_) => {
                self.failed_pulls.remove(image);
                ImageState::Present
            }
        };
        self.observed.images.insert(image.to_owned(), state);
    }

    fn end_look_up(&mut self, deployment: DeploymentId, outcome: Outcome, now: Moment) {
        let it = self.observed.look_ups.entry(deployment).or_default();
        let reason = match outcome {
            Outcome::Failed(reason) | Outcome::Away(reason) | Outcome::Blocked(reason) => reason,
            Outcome::Held(why) => crate::reason::reason(crate::reason::REGISTRY_ERROR, why),
            Outcome::Fine | Outcome::Started { .. } | Outcome::ImageGone(_) => {
                *it = LookUp {
                    stage: LookUpStage::Told(now),
                    ..LookUp::default()
                };
                return;
            }
        };
        *it = LookUp {
            failures: it.failures.saturating_add(1),
            failure: Some(reason),
            stage: LookUpStage::Failed(now),
        };
    }

    /// A probe has a new verdict.
    pub(super) fn turned(&mut self, turn: Turn) {
        let Some(it) = self.observed.instances.get_mut(&turn.replica) else {
            return;
        };
        let of_this_start = it.container == ContainerState::Running && it.restarts == turn.restarts;
        // One that is on its way out is not called fit again.
        let is_stopping = it.drained || it.terminated_at.is_some() || it.busy && matches!(it.health, Health::Failed(_));
        if !of_this_start || is_stopping {
            return;
        }
        it.health = match turn.verdict {
            Verdict::Fit => {
                it.failure = None;
                Health::Ready
            }
            Verdict::Unfit(reason) => Health::Unfit(reason),
            Verdict::Failed(reason) => Health::Failed(reason),
        };
    }
}

enum Target<'a> {
    Replica(ReplicaId),
    Image(&'a str),
    Rollout(DeploymentId),
}

fn target(step: &Step) -> Target<'_> {
    match step {
        Step::Pull { image } | Step::Prefetch { image } => Target::Image(image),
        Step::LookUp { deployment, .. } => Target::Rollout(*deployment),
        Step::Run { replica, .. }
        | Step::Remove { replica }
        | Step::ReleaseAddress { replica }
        | Step::Drain { replica, .. }
        | Step::Terminate { replica }
        | Step::Kill { replica } => Target::Replica(*replica),
    }
}

fn done(it: &mut Instance, step: &Step, now: Moment) {
    match step {
        Step::Drain { .. } => it.drained = true,
        Step::Terminate { .. } => it.terminated_at = Some(now),
        Step::Kill { .. } => it.killed_at = Some(now),
        Step::Remove { .. } => it.container = ContainerState::Absent,
        Step::ReleaseAddress { .. } => (it.networked, it.address) = (false, None),
        Step::Run { .. } | Step::LookUp { .. } | Step::Pull { .. } | Step::Prefetch { .. } => {}
    }
}

fn hold(it: &mut Instance, replica: ReplicaId, step: &Step, why: &str, until: Moment) {
    tracing::warn!(%replica, ?step, why, "a step is tried again in a moment");
    it.hold_until = Some(until);
}
