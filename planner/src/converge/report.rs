//! What a host says of a replica, if the cluster does not know it yet.

use std::net::SocketAddr;

use model::{Assignment, Deployment, Phase, Reason, ReplicaReport};

use super::{ContainerState, Health, ImageState, Instance, Moment, Observed, Round, settle_time, wants_to_run};

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
    let failure = it.failure.as_ref().map(|failure| failure.reason.clone());
    match it.container {
        ContainerState::Running => match deployment.spec.port {
            Some(port) => answering(assignment, port, it, failure, round),
            None => lasting(assignment, it, failure, round),
        },
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

/// A worker cannot be asked: it is ready once its process has lasted a while.
fn lasting(assignment: &Assignment, it: &Instance, failure: Option<Reason>, round: &mut Round<'_>) -> Option<Said> {
    let ready_at = it.running_since.unwrap_or_default().after(settle_time(it.failures));
    if round.due(Some(ready_at)) {
        return Some((Phase::Ready, None, None));
    }
    let just_found = it.health == Health::Unknown && assignment.replica.phase >= Phase::Starting;
    (!just_found).then_some((Phase::Starting, failure, None))
}

fn answering(
    assignment: &Assignment,
    port: u16,
    it: &Instance,
    failure: Option<Reason>,
    round: &mut Round<'_>,
) -> Option<Said> {
    let address = it.address.map(|ip| SocketAddr::new(ip, port));
    let seconds = round.limits.ready_deadline.as_secs();
    let mut late = |since: Moment, reason: Reason| {
        let deadline = since.after(round.limits.ready_deadline);
        let phase = if round.due(Some(deadline)) {
            Phase::Failed
        } else {
            Phase::Starting
        };
        (phase, reason)
    };
    Some(match it.health {
        Health::Ready => (Phase::Ready, None, address),
        Health::Unknown if assignment.replica.phase >= Phase::Starting => return None,
        Health::Unknown => (Phase::Starting, failure, address),
        Health::Waiting(since) => {
            let (phase, reason) = late(since, never_listened(port, seconds));
            (
                phase,
                if phase == Phase::Failed { Some(reason) } else { failure },
                address,
            )
        }
        Health::Lost(since) => {
            let (phase, reason) = late(since, stopped_answering(port));
            (phase, Some(reason), address)
        }
    })
}

fn never_listened(port: u16, seconds: u64) -> Reason {
    Reason {
        code: "never_listened".to_owned(),
        message: format!(
            "the container runs, but {seconds} s after its start nothing accepts connections on TCP port {port}; let \
             the program listen on 0.0.0.0:{port} (not on 127.0.0.1), or set the service's port to the one it uses"
        ),
    }
}

fn stopped_answering(port: u16) -> Reason {
    Reason {
        code: "stopped_answering".to_owned(),
        message: format!(
            "the container runs, but no longer accepts connections on TCP port {port}; it gets requests again once it \
             does; see its log for why it hangs"
        ),
    }
}
