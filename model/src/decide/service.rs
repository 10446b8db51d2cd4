//! Services and workers.

use super::context::References;
use super::rollout::{deployment, next_version};
use super::{Context, Decision, image, secret, settings};
use crate::{
    AccountId, Change, ConfigId, Deployment, DeploymentId, DeploymentStatus, Field, Intent, Key, Kind, Rejection,
    Replica, SecretId, Service, ServiceDraft, ServiceId, ServiceKind, ServicePatch, ServiceSpec, Setting, Settings,
};

pub(super) fn create(cx: &Context<'_>, draft: &ServiceDraft, said: &[Setting]) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let project = draft.project.unwrap_or(account.default_project);
    let mut references = References::default();
    references.check(Field::Project, project.0, cx.project(project).is_ok());
    check_attached(cx, &mut references, draft.config.flatten(), draft.secret.flatten());
    settings::check(cx, &mut references, said);
    references.finish()?;
    let filed = cx.project(project)?;
    let service = Service {
        id: ServiceId(cx.fresh(0)),
        account: account.id,
        project,
        name: draft.name.clone(),
        spec: ServiceSpec {
            image: draft.image.clone(),
            port: draft.port,
            replicas: draft.replicas,
            config: draft.config.unwrap_or(Some(filed.default_config)),
            secret: draft.secret.unwrap_or(Some(filed.default_secret)),
            container: draft.container.clone(),
        },
        deployment: DeploymentId(cx.fresh(1)),
        version: 1,
        trouble: None,
        item_change: None,
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
        touched: cx.revision,
    };
    require_free_name(cx, account.id, service.kind(), &draft.name)?;
    let usual = Settings::default();
    let wanted = usual.clone().with(said);
    settings::require_admin(account, &usual, &wanted)?;
    let first = deployment(cx, &service, &wanted, &account.name, &draft.notes);
    let mut changes = vec![first.into()];
    changes.extend(settings::wanted(cx, service.id, &wanted));
    changes.extend(settings::pinned(service.deployment, &wanted));
    Ok(Decision::put_after(changes, service))
}

pub(super) fn update(
    cx: &Context<'_>,
    id: ServiceId,
    patch: &ServicePatch,
    said: &[Setting],
) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let before = cx.service(id)?;
    let mut references = References::default();
    if let Some(project) = patch.project {
        references.check(Field::Project, project.0, cx.project(project).is_ok());
    }
    check_attached(cx, &mut references, patch.config.flatten(), patch.secret.flatten());
    settings::check(cx, &mut references, said);
    references.finish()?;
    let mut service = Service {
        updated_at: cx.now,
        revision: cx.revision,
        touched: cx.revision,
        ..before.clone()
    };
    if let Some(name) = patch.name.as_ref().filter(|name| **name != before.name) {
        require_free_name(cx, before.account, before.kind(), name)?;
        service.name.clone_from(name);
    }
    service.project = patch.project.unwrap_or(before.project);
    service.spec = patched(&before.spec, patch);
    let known = cx.state.settings_of(id);
    let wanted = known.clone().with(said);
    settings::require_admin(account, &known, &wanted)?;
    let mut changes: Vec<_> = settings::wanted(cx, id, &wanted).into_iter().collect();
    let may_fetch_now = wanted.registry_secret != known.registry_secret;
    if starts_rollout(patch, before) || !wanted.run_alike(&known) || may_fetch_now {
        let (next, superseded) = next_version(cx, before, service);
        service = next;
        changes.extend(superseded);
        let rollout = deployment(cx, &service, &wanted, &account.name, &patch.notes);
        // Who names the image, be it the same, asks for what its tag means now.
        if patch.image.is_none() {
            changes.extend(image::keep(cx, before.deployment, &rollout));
        }
        changes.push(rollout.into());
        changes.extend(settings::pinned(service.deployment, &wanted));
    }
    // A route is filed under its service's project.
    for route in cx
        .state
        .routes_of_service(id)
        .filter(|it| it.project != service.project)
    {
        changes.push(
            crate::Route {
                project: service.project,
                ..route.clone()
            }
            .into(),
        );
    }
    Ok(Decision::put_after(changes, service))
}

pub(super) fn delete(cx: &Context<'_>, id: ServiceId) -> Result<Decision, Rejection> {
    cx.service(id)?;
    let mut changes = vec![Change::Delete(Key::Service(id))];
    changes.extend(
        cx.state
            .routes_of_service(id)
            .map(|it| Change::Delete(Key::Route(it.id))),
    );
    let deployments: Vec<_> = cx.state.deployments_of(id).map(|it| it.id).collect();
    changes.extend(deployments.iter().map(|it| Change::Delete(Key::Deployment(*it))));
    changes.extend(deployments.iter().filter_map(|it| image::unpin(cx, *it)));
    let restarts = deployments.iter().filter(|it| cx.state.restart(**it).is_some());
    changes.extend(restarts.map(|it| Change::Delete(Key::Restart(*it))));
    changes.extend(secret::released(cx, &deployments));
    changes.extend(settings::gone(cx, id, &deployments));
    let running = cx.state.replicas_of(id).filter(|it| it.intent == Intent::Run);
    changes.extend(running.map(|it| Change::from(retired(cx, it))));
    Ok(Decision::done(changes))
}

/// The whole revision comes back: image with its very bytes, port, replicas, container settings, config values, versions
/// of secrets, and all settings but how rollouts go and who may fetch the image.
pub(super) fn roll_back(cx: &Context<'_>, id: DeploymentId, notes: &str) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let old = cx.deployment(id)?;
    let before = cx.service(old.service)?;
    let mut service = Service {
        updated_at: cx.now,
        revision: cx.revision,
        touched: cx.revision,
        ..before.clone()
    };
    // What was attached then may be gone by now; its values are pinned all the same.
    let still = |here: bool| here.then_some(());
    service.spec = ServiceSpec {
        config: old.spec.config.and_then(|it| still(cx.config(it).is_ok()).map(|()| it)),
        secret: old.spec.secret.and_then(|it| still(cx.secret(it).is_ok()).map(|()| it)),
        ..old.spec.clone()
    };
    let (service, _) = next_version(cx, before, service);
    let now = cx.state.settings_of(service.id);
    let settings = Settings {
        update: now.update,
        registry_secret: now.registry_secret,
        ..cx.state.pinned_settings(id)
    };
    let next = Deployment {
        config_snapshot: old.config_snapshot.clone(),
        secrets: old.secrets.clone(),
        rollback_from: Some(id),
        ..deployment(cx, &service, &settings, &account.name, notes)
    };
    let mut changes: Vec<_> = settings::wanted(cx, service.id, &settings).into_iter().collect();
    changes.extend(settings::pinned(next.id, &settings));
    if let Some(current) = cx.state.deployment(before.deployment) {
        let rolled_back = Deployment {
            status: DeploymentStatus::RolledBack,
            revision: cx.revision,
            ..current.clone()
        };
        changes.push(rolled_back.into());
    }
    changes.extend(image::keep(cx, id, &next));
    let mut decision = Decision::put_after(changes, next);
    decision.changes.push(service.into());
    Ok(decision)
}

/// `replica`, no longer wanted.
pub(super) fn retired(cx: &Context<'_>, replica: &Replica) -> Replica {
    Replica {
        intent: Intent::Stop,
        changed_at: cx.now,
        revision: cx.revision,
        ..replica.clone()
    }
}

/// What clients call it.
pub(super) fn kind(service: &Service) -> Kind {
    match service.kind() {
        ServiceKind::Service => Kind::Service,
        ServiceKind::Worker => Kind::Worker,
    }
}

fn patched(spec: &ServiceSpec, patch: &ServicePatch) -> ServiceSpec {
    ServiceSpec {
        image: patch.image.clone().unwrap_or_else(|| spec.image.clone()),
        // A worker stays one.
        port: spec.port.map(|port| patch.port.unwrap_or(port)),
        replicas: patch.replicas.unwrap_or(spec.replicas),
        config: patch.config.unwrap_or(spec.config),
        secret: patch.secret.unwrap_or(spec.secret),
        container: patch.container.clone().unwrap_or_else(|| spec.container.clone()),
    }
}

/// Naming one of the five fixed fields starts a rollout even where its value stays; container settings only where
/// they differ.
fn starts_rollout(patch: &ServicePatch, before: &Service) -> bool {
    patch.image.is_some()
        || patch.port.is_some() && before.spec.port.is_some()
        || patch.replicas.is_some()
        || patch.config.is_some()
        || patch.secret.is_some()
        || patch.container.as_ref().is_some_and(|it| *it != before.spec.container)
}

fn check_attached(cx: &Context<'_>, references: &mut References, config: Option<ConfigId>, secret: Option<SecretId>) {
    if let Some(id) = config {
        references.check(Field::Config, id.0, cx.config(id).is_ok());
    }
    if let Some(id) = secret {
        references.check(Field::Secret, id.0, cx.secret(id).is_ok());
    }
}

fn require_free_name(cx: &Context<'_>, account: AccountId, kind: ServiceKind, name: &str) -> Result<(), Rejection> {
    match cx.state.service_by_name(account, kind, name) {
        Some(it) => Err(Rejection::NameTaken(self::kind(it))),
        None => Ok(()),
    }
}
