//! When a rollout has failed, and how that is told.

use std::time::Duration;

use model::{Deployment, Phase, Reason, Replica, State, Timestamp};

use super::room;

/// Causes that trying again does not mend: the rollout ends at once.
const PERMANENT: [&str; 12] = [
    "image_not_found",
    "invalid_reference",
    "registry_denied",
    "wrong_architecture",
    "start_failed",
    "command_not_found",
    "exec_format_error",
    "permission_denied",
    "volume_missing",
    // Those have had the time that their health checks give them.
    "never_listened",
    "stopped_answering",
    "health_failed",
];
/// How long causes that may pass by themselves are given.
const PATIENCE: Duration = Duration::from_secs(15);
/// A container that ended this often has been given its chances.
const RESTARTS: u32 = 2;
/// A replica that is not ready for longer than this makes its service one in trouble.
const LASTING: Duration = Duration::from_secs(30);

/// Why a rollout has failed, if it has: the replica, its node, the cause and the remedy.
pub(super) fn of_rollout(
    state: &State,
    deployment: &Deployment,
    current: &[&Replica],
    trouble: Option<&Reason>,
    now: Timestamp,
) -> Option<String> {
    if let Some(text) = current
        .iter()
        .filter(|it| is_hopeless(it, now))
        .find_map(|it| told(state, it))
    {
        return Some(text);
    }
    // No node will ever take it as it is.
    if let Some(reason) = trouble.filter(|it| room::is_final(it)) {
        return Some(reason.message.clone());
    }
    if now < deadline(deployment, current) {
        return None;
    }
    let replica = current
        .iter()
        .filter(|it| it.phase != Phase::Ready)
        .find_map(|it| told(state, it));
    let why = replica.or_else(|| trouble.map(|it| it.message.clone()));
    let seconds = now.since(deployment.deployed_at).as_secs();
    let ready = current.iter().filter(|it| it.is_serving()).count();
    Some(format!(
        "Only {ready} of {} replicas were ready {seconds} s after the rollout began. {}",
        deployment.spec.replicas,
        why.unwrap_or_else(|| "No replica gave a reason; the logs of their nodes tell more.".to_owned()),
    ))
}

/// A rollout that gets on has as long again from each replica that became ready, up to as many times as there are
/// replicas: one that replaces them one by one takes that much longer.
fn deadline(deployment: &Deployment, current: &[&Replica]) -> Timestamp {
    let limit = deployment.deadline.since(deployment.deployed_at);
    let made = current
        .iter()
        .filter(|it| it.deployment == deployment.id && it.is_serving());
    let last = made.map(|it| it.changed_at.after(limit)).max();
    let latest = deployment.deadline.after(limit * u32::from(deployment.spec.replicas));
    last.map_or(deployment.deadline, |it| it.clamp(deployment.deadline, latest))
}

fn is_hopeless(replica: &Replica, now: Timestamp) -> bool {
    let Some(reason) = replica.reason.as_ref().filter(|_| replica.phase == Phase::Failed) else {
        return false;
    };
    PERMANENT.contains(&reason.code.as_str())
        || replica.restarts >= RESTARTS
        || now.since(replica.changed_at) > PATIENCE
}

fn told(state: &State, replica: &Replica) -> Option<String> {
    let message = match (&replica.reason, replica.phase) {
        (Some(reason), _) => reason.message.as_str(),
        (None, Phase::Pulling) => {
            "its image is still being fetched; `progress` of the service's replicas says how far it has come"
        }
        (None, _) => return None,
    };
    let node = state
        .node(replica.node)
        .map_or_else(|| replica.node.to_string(), |it| it.name.clone());
    Some(format!("Replica {} on node {node}: {message}", replica.id))
}

/// What to say of a service whose replicas have not been ready for a while.
pub(super) fn lasting(state: &State, current: &[&Replica], now: Timestamp) -> Option<Reason> {
    let stuck = current
        .iter()
        .find(|it| it.phase != Phase::Ready && now.since(it.changed_at) > LASTING)?;
    let message = told(state, stuck).unwrap_or_else(|| {
        let node = state
            .node(stuck.node)
            .map_or_else(|| stuck.node.to_string(), |it| it.name.clone());
        format!(
            "Replica {} on node {node} has been {:?} for more than {} s without a reason; see that node's log.",
            stuck.id,
            stuck.phase,
            LASTING.as_secs()
        )
    });
    let code = stuck
        .reason
        .as_ref()
        .map_or("not_ready", |it| it.code.as_str())
        .to_owned();
    Some(Reason { code, message })
}
