//! The deployments that changes begin.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Context;
use crate::{
    Change, Deployment, DeploymentId, DeploymentStatus, HealthCheck, ItemChange, SecretPin, Service, Settings,
};

/// A rollout that has not ended by then fails; replicas that may take longer to start have that much more.
const ROLLOUT_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The deployment that `service` names as its newest, made from its config and secret as they are now.
pub(super) fn deployment(
    cx: &Context<'_>,
    service: &Service,
    settings: &Settings,
    by: &str,
    notes: &str,
) -> Deployment {
    let grace = settings.check(service.spec.port).start_grace_seconds;
    let slower = Duration::from_secs(grace.saturating_sub(HealthCheck::START_GRACE_SECONDS).into());
    Deployment {
        id: service.deployment,
        service: service.id,
        account: service.account,
        version: service.version,
        spec: service.spec.clone(),
        config_snapshot: config_snapshot(cx, service),
        secrets: secret_pins(cx, service),
        status: DeploymentStatus::Pending,
        deployed_at: cx.now,
        deployed_by: by.to_owned(),
        rollback_from: None,
        notes: notes.to_owned(),
        error_message: String::new(),
        deadline: cx.now.after(ROLLOUT_LIMIT + slower),
        revision: cx.revision,
    }
}

/// `service` with the next version, and the end of the one before, if that is still under way.
pub(super) fn next_version(cx: &Context<'_>, before: &Service, mut service: Service) -> (Service, Option<Change>) {
    service.version = before.version + 1;
    service.deployment = DeploymentId(cx.fresh(1));
    service.trouble = None;
    service.item_change = None;
    let superseded = supersede(cx, before, service.version);
    (service, superseded)
}

fn supersede(cx: &Context<'_>, service: &Service, by: u32) -> Option<Change> {
    let pending = cx
        .state
        .deployment(service.deployment)
        .filter(|it| it.status == DeploymentStatus::Pending)?;
    let error_message = format!("Replaced by version {by} before it had finished.");
    let ended = Deployment {
        status: DeploymentStatus::Failed,
        error_message,
        revision: cx.revision,
        ..pending.clone()
    };
    Some(ended.into())
}

/// Notes on every service that it has a rollout coming. The leader begins it when no more changes follow.
pub(super) fn items_changed<'a>(
    cx: &'a Context<'a>,
    users: impl Iterator<Item = &'a Service> + 'a,
) -> impl Iterator<Item = Change> + 'a {
    users.map(move |service| {
        let by = actor_name(cx);
        Service {
            item_change: Some(ItemChange { at: cx.now, by }),
            touched: cx.revision,
            ..service.clone()
        }
        .into()
    })
}

pub(super) fn actor_name(cx: &Context<'_>) -> String {
    let account = cx.actor().account().and_then(|id| cx.state.account(id));
    account.map(|it| it.name.clone()).unwrap_or_default()
}

fn config_snapshot(cx: &Context<'_>, service: &Service) -> BTreeMap<String, String> {
    let Some(config) = service.spec.config else {
        return BTreeMap::new();
    };
    let items = cx.state.items_of_config(config).all().into_iter();
    items.map(|it| (it.key.clone(), it.value.clone())).collect()
}

fn secret_pins(cx: &Context<'_>, service: &Service) -> Vec<SecretPin> {
    let Some(secret) = service.spec.secret else {
        return Vec::new();
    };
    let items = cx.state.items_of_secret(secret).all().into_iter();
    let mut pins: Vec<_> = items
        .map(|it| SecretPin {
            item: it.id,
            version: it.version,
            key: it.key.clone(),
        })
        .collect();
    pins.sort_by(|a, b| a.key.cmp(&b.key));
    pins
}
