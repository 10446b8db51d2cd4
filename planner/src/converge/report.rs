//! What a host says of a replica, if the cluster does not know it yet.

use std::net::SocketAddr;

use model::{Assignment, Deployment, Phase, Probe, Reason, ReplicaReport};

use super::{
    ContainerState, Failure, Health, ImageState, Instance, Observed, Round, is_started_again, settle_time, wants_to_run,
};

/// The report on one replica; `None` where the record is right already or this host cannot judge.
pub(super) fn report(
    assignment: &Assignment,
    it: &Instance,
    observed: &Observed,
    round: &mut Round<'_>,
) -> Option<ReplicaReport> {
    let record = &assignment.replica;
    let (phase, reason, address) = match wants_to_run(assignment) {
        Some(deployment) => running(assignment, deployment, it, observed, round)?,
        None if it.container == ContainerState::Absent && !it.networked && !it.busy => (Phase::Stopped, None, None),
        None => return None,
    };
    let restarts = it.restarts.max(record.restarts);
    let known =
        record.phase == phase && record.reason == reason && record.address == address && record.restarts == restarts;
    (!known).then_some(ReplicaReport {
        replica: record.id,
        phase,
        reason,
        address,
        restarts,
    })
}

type Said = (Phase, Option<Reason>, Option<SocketAddr>);

fn running(
    assignment: &Assignment,
    deployment: &Deployment,
    it: &Instance,
    observed: &Observed,
    round: &mut Round<'_>,
) -> Option<Said> {
    let failure = it.failure.as_ref().map(|failure| told(assignment, failure));
    match it.container {
        ContainerState::Running => alive(assignment, it, failure, round),
        // A host that has not caught up must not call a replica failed that may have been moved already.
        _ if !round.may_start => None,
        ContainerState::Exited => Some((Phase::Failed, failure, None)),
        ContainerState::Created | ContainerState::Absent if it.blocked.is_some() => {
            Some((Phase::Starting, it.blocked.clone(), None))
        }
        ContainerState::Created | ContainerState::Absent if it.busy => Some((Phase::Starting, failure, None)),
        ContainerState::Created | ContainerState::Absent if failure.is_some() => Some((Phase::Failed, failure, None)),
        ContainerState::Created | ContainerState::Absent => Some(fetching(assignment, deployment, observed, round)),
    }
}

/// A replica whose container waits for its image.
fn fetching(assignment: &Assignment, deployment: &Deployment, observed: &Observed, round: &Round<'_>) -> Said {
    let Some(image) = assignment.image_reference() else {
        return match round.look_up_failure(deployment.id) {
            Some(reason) => unfetched(reason),
            None => (Phase::Pulling, None, None),
        };
    };
    match observed.images.get(&image) {
        Some(ImageState::Failed { reason, .. }) => unfetched(reason),
        Some(ImageState::Present) => (Phase::Starting, None, None),
        Some(ImageState::Pulling) | None => (Phase::Pulling, None, None),
    }
}

/// A locked keyring is nobody's failure: it waits, and is tried again.
fn unfetched(reason: &Reason) -> Said {
    let locked = reason.code == "keyring_locked";
    let phase = if locked { Phase::Pulling } else { Phase::Failed };
    (phase, Some(reason.clone()), None)
}

/// Why it ended, and where nothing follows, that nothing does.
fn told(assignment: &Assignment, failure: &Failure) -> Reason {
    let mut reason = failure.reason.clone();
    if !is_started_again(assignment.settings.restart, failure.cause) {
        reason
            .message
            .push_str("; its restart_policy says that it is not started again");
    }
    reason
}

fn alive(assignment: &Assignment, it: &Instance, failure: Option<Reason>, round: &mut Round<'_>) -> Option<Said> {
    let port = assignment.deployment.as_ref().and_then(|it| it.spec.port);
    let address = port.and_then(|port| it.address.map(|ip| SocketAddr::new(ip, port)));
    if assignment.settings.check(port).probe == Probe::None {
        return lasting(assignment, it, address, failure, round);
    }
    Some(match &it.health {
        // On its way to be started again.
        Health::Ready if it.drained || it.terminated_at.is_some() => (Phase::Starting, failure, address),
        Health::Ready => (Phase::Ready, None, address),
        Health::Unknown if assignment.replica.phase >= Phase::Starting => return None,
        Health::Unknown | Health::Waiting => (Phase::Starting, failure, address),
        Health::Unfit(reason) => (Phase::Starting, Some(reason.clone()), address),
        Health::Failed(reason) => (Phase::Failed, Some(reason.clone()), address),
    })
}

/// One that nobody asks is ready once its process has lasted a while.
fn lasting(
    assignment: &Assignment,
    it: &Instance,
    address: Option<SocketAddr>,
    failure: Option<Reason>,
    round: &mut Round<'_>,
) -> Option<Said> {
    let ready_at = it.running_since.unwrap_or_default().after(settle_time(it.failures));
    if round.due(Some(ready_at)) {
        return Some((Phase::Ready, None, address));
    }
    let just_found = it.health == Health::Unknown && assignment.replica.phase >= Phase::Starting;
    (!just_found).then_some((Phase::Starting, failure, address))
}
