//! What is done to replicas that run, without changing what they are.

use super::rollout::{deployment, next_version};
use super::{Context, Decision, image, settings};
use crate::{Deployment, Rejection, ReplicaId, Restart, Service, ServiceId};

/// The same revision once more: the very bytes of the image, settings, config values and secrets of the newest deployment,
/// pinned as they were.
/// Items that have changed since come with a deployment of their own, as they would have without this.
pub(super) fn restart(cx: &Context<'_>, id: ServiceId, notes: &str) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let before = cx.service(id)?;
    let newest = cx.deployment(before.deployment)?;
    let service = Service {
        updated_at: cx.now,
        revision: cx.revision,
        touched: cx.revision,
        ..before.clone()
    };
    let (service, superseded) = next_version(cx, before, service);
    let service = Service {
        item_change: before.item_change.clone(),
        ..service
    };
    let settings = cx.state.pinned_settings(newest.id);
    let next = Deployment {
        spec: newest.spec.clone(),
        config_snapshot: newest.config_snapshot.clone(),
        secrets: newest.secrets.clone(),
        ..deployment(cx, &service, &settings, &account.name, notes)
    };
    let mut changes: Vec<_> = superseded.into_iter().collect();
    changes.push(Restart { id: next.id }.into());
    changes.extend(settings::pinned(next.id, &settings));
    changes.extend(image::keep(cx, newest.id, &next));
    let mut decision = Decision::put_after(changes, next);
    decision.changes.push(service.into());
    Ok(decision)
}

/// Only that it is on record; see the events.
pub(super) fn note_exec(cx: &Context<'_>, service: ServiceId, replica: ReplicaId) -> Result<Decision, Rejection> {
    cx.account()?;
    let service = cx.service(service)?;
    match cx.state.replica(replica) {
        Some(it) if it.service == service.id => Ok(Decision::done(Vec::new())),
        // It has ended meanwhile.
        _ => Err(Rejection::Stale),
    }
}
