//! What a host says of its replicas.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Context, Decision};
use crate::{Change, Intent, Key, NodeId, Phase, Rejection, Replica, ReplicaReport, Service};

pub(super) fn replicas(
    cx: &Context<'_>,
    node: NodeId,
    boot: Uuid,
    reports: &[ReplicaReport],
) -> Result<Decision, Rejection> {
    cx.require_system()?;
    if cx.state.node(node).is_none_or(|it| it.boot != boot) {
        return Err(Rejection::WrongBoot { node: node.0 });
    }
    let mut changes = Vec::with_capacity(reports.len() + 1);
    let mut touched = BTreeSet::new();
    for report in reports {
        // A replica that is gone, or that was never this host's, is nothing to argue about: the host's next view of
        // the state tells it to remove the container.
        let Some(replica) = cx.state.replica(report.replica).filter(|it| it.node == node) else {
            continue;
        };
        if let Some(change) = transition(cx, replica, report) {
            touched.insert(replica.service);
            changes.push(change);
        }
    }
    let services = touched.into_iter().filter_map(|id| cx.state.service(id));
    changes.extend(services.map(|it| {
        Change::from(Service {
            touched: cx.revision,
            ..it.clone()
        })
    }));
    Ok(Decision::done(changes))
}

fn transition(cx: &Context<'_>, before: &Replica, report: &ReplicaReport) -> Option<Change> {
    if before.intent == Intent::Stop && report.phase == Phase::Stopped {
        return Some(Change::Delete(Key::Replica(before.id)));
    }
    let after = Replica {
        phase: report.phase,
        reason: report.reason.clone(),
        address: report.address,
        restarts: report.restarts,
        ..before.clone()
    };
    if after == *before {
        return None;
    }
    let changed_at = if after.phase == before.phase {
        before.changed_at
    } else {
        cx.now
    };
    Some(
        Replica {
            changed_at,
            revision: cx.revision,
            ..after
        }
        .into(),
    )
}
