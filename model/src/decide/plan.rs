//! Carrying out a plan for one service: all of it, or nothing if what it was made from has changed.

use super::rollout::{deployment, next_version};
use super::service::retired;
use super::{Context, Decision, image, settings};
use crate::{
    Change, Deployment, Intent, Key, Phase, PlanAction, Rejection, Replica, ReplicaId, Revision, Service, ServiceId,
};

pub(super) fn apply(
    cx: &Context<'_>,
    id: ServiceId,
    seen: Revision,
    actions: &[PlanAction],
) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let mut service = cx.state.service(id).cloned();
    if service.as_ref().is_some_and(|it| it.touched != seen) {
        return Err(Rejection::Stale);
    }
    let mut changes = Vec::with_capacity(actions.len() + 1);
    for (n, action) in (0..).zip(actions) {
        match (action, service.as_mut()) {
            (PlanAction::Redeploy, Some(service)) => changes.extend(redeploy(cx, service)),
            _ => changes.extend(change(cx, n, service.as_mut(), action)?),
        }
    }
    if let Some(service) = service {
        changes.push(
            Service {
                touched: cx.revision,
                ..service
            }
            .into(),
        );
    }
    Ok(Decision::done(changes))
}

/// The rollout that changed items ask for. Nothing to do if there are none, or they are on their way already.
fn redeploy(cx: &Context<'_>, service: &mut Service) -> Vec<Change> {
    let Some(cause) = service.item_change.clone() else {
        return Vec::new();
    };
    let before = service.deployment;
    let (next, superseded) = next_version(cx, service, service.clone());
    *service = next;
    let wanted = cx.state.settings_of(service.id);
    let notes = "An item of its config or secret has changed.";
    let rollout = deployment(cx, service, &wanted, &cause.by, notes);
    let pinned = settings::pinned(rollout.id, &wanted);
    let kept = image::keep(cx, before, &rollout);
    superseded
        .into_iter()
        .chain(kept)
        .chain([rollout.into()])
        .chain(pinned)
        .collect()
}

fn change(
    cx: &Context<'_>,
    n: u64,
    service: Option<&mut Service>,
    action: &PlanAction,
) -> Result<Option<Change>, Rejection> {
    match (action, service) {
        (PlanAction::Forget(id), _) => Ok(cx.state.replica(*id).map(|it| Change::Delete(Key::Replica(it.id)))),
        (PlanAction::Retire(id), _) => Ok(cx
            .state
            .replica(*id)
            .filter(|it| it.intent == Intent::Run)
            .map(|it| retired(cx, it).into())),
        (PlanAction::Place { deployment, node }, Some(service)) => {
            let deployment = cx.state.deployment(*deployment).ok_or(Rejection::Stale)?;
            Ok(Some(
                Replica {
                    id: ReplicaId(cx.fresh(n + 2)),
                    service: service.id,
                    deployment: deployment.id,
                    account: service.account,
                    version: deployment.version,
                    node: *node,
                    intent: Intent::Run,
                    phase: Phase::Assigned,
                    reason: None,
                    address: None,
                    restarts: 0,
                    created_at: cx.now,
                    changed_at: cx.now,
                    revision: cx.revision,
                }
                .into(),
            ))
        }
        (
            PlanAction::Finish {
                deployment,
                status,
                error_message,
            },
            Some(_),
        ) => {
            let deployment = cx.state.deployment(*deployment).ok_or(Rejection::Stale)?;
            let error_message = error_message.clone();
            Ok(Some(
                Deployment {
                    status: *status,
                    error_message,
                    revision: cx.revision,
                    ..deployment.clone()
                }
                .into(),
            ))
        }
        (PlanAction::Trouble(reason), Some(service)) => {
            service.trouble.clone_from(reason);
            Ok(None)
        }
        // Begun elsewhere.
        (PlanAction::Redeploy, Some(_)) => Ok(None),
        (_, None) => Err(Rejection::Stale),
    }
}
