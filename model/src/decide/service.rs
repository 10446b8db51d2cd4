//! Services and the deployments that their changes begin.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::References;
use super::{Context, Decision};
use crate::{
    Account, AccountId, Change, Deployment, DeploymentId, DeploymentStatus, Field, Intent, Key, Kind, Outcome,
    Rejection, Replica, Resource, Service, ServiceDraft, ServiceId, ServicePatch, ServiceSpec,
};

/// A rollout that has not ended by then fails.
const ROLLOUT_LIMIT: Duration = Duration::from_secs(5 * 60);

pub(super) fn create(cx: &Context<'_>, draft: &ServiceDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let project = draft.project.unwrap_or(account.default_project);
    let mut references = References::default();
    references.check(Field::Project, project.0, cx.project(project).is_ok());
    check_attached(
        &mut references,
        draft.config.map(|it| it.0),
        draft.secret.map(|it| it.0),
    );
    references.finish()?;
    require_free_name(cx, account.id, &draft.name)?;
    let service = Service {
        id: ServiceId(cx.envelope.fresh_uuid(0)),
        account: account.id,
        project,
        name: draft.name.clone(),
        spec: ServiceSpec {
            image: draft.image.clone(),
            port: draft.port,
            replicas: draft.replicas,
            config: draft.config,
            secret: draft.secret,
            container: draft.container.clone(),
        },
        deployment: DeploymentId(cx.envelope.fresh_uuid(1)),
        version: 1,
        trouble: None,
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
        touched: cx.revision,
    };
    let first = deployment(cx, account, &service, &draft.notes);
    Ok(put(vec![first.into()], service))
}

pub(super) fn update(cx: &Context<'_>, id: ServiceId, patch: &ServicePatch) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let before = cx.service(id)?;
    let mut references = References::default();
    if let Some(project) = patch.project {
        references.check(Field::Project, project.0, cx.project(project).is_ok());
    }
    check_attached(
        &mut references,
        patch.config.flatten().map(|it| it.0),
        patch.secret.flatten().map(|it| it.0),
    );
    references.finish()?;
    let mut service = Service {
        updated_at: cx.now,
        revision: cx.revision,
        touched: cx.revision,
        ..before.clone()
    };
    if let Some(name) = patch.name.as_ref().filter(|name| **name != before.name) {
        require_free_name(cx, before.account, name)?;
        service.name.clone_from(name);
    }
    service.project = patch.project.unwrap_or(before.project);
    service.spec = patched(&before.spec, patch);
    let mut changes = Vec::new();
    if starts_rollout(patch, before) {
        service.version = before.version + 1;
        service.deployment = DeploymentId(cx.envelope.fresh_uuid(1));
        service.trouble = None;
        changes.extend(supersede(cx, before, service.version));
        changes.push(deployment(cx, account, &service, &patch.notes).into());
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
    Ok(put(changes, service))
}

pub(super) fn delete(cx: &Context<'_>, id: ServiceId) -> Result<Decision, Rejection> {
    cx.service(id)?;
    let mut changes = vec![Change::Delete(Key::Service(id))];
    changes.extend(
        cx.state
            .routes_of_service(id)
            .map(|it| Change::Delete(Key::Route(it.id))),
    );
    changes.extend(
        cx.state
            .deployments_of(id)
            .map(|it| Change::Delete(Key::Deployment(it.id))),
    );
    let running = cx.state.replicas_of(id).filter(|it| it.intent == Intent::Run);
    changes.extend(running.map(|it| Change::from(retired(cx, it))));
    Ok(Decision::done(changes))
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

fn patched(spec: &ServiceSpec, patch: &ServicePatch) -> ServiceSpec {
    ServiceSpec {
        image: patch.image.clone().unwrap_or_else(|| spec.image.clone()),
        port: patch.port.unwrap_or(spec.port),
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
        || patch.port.is_some()
        || patch.replicas.is_some()
        || patch.config.is_some()
        || patch.secret.is_some()
        || patch.container.as_ref().is_some_and(|it| *it != before.spec.container)
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

fn deployment(cx: &Context<'_>, account: &Account, service: &Service, notes: &str) -> Deployment {
    Deployment {
        id: service.deployment,
        service: service.id,
        account: service.account,
        version: service.version,
        spec: service.spec.clone(),
        config_snapshot: BTreeMap::new(),
        secret_keys_snapshot: Vec::new(),
        status: DeploymentStatus::Pending,
        deployed_at: cx.now,
        deployed_by: account.name.clone(),
        rollback_from: None,
        notes: notes.to_owned(),
        error_message: String::new(),
        deadline: cx.now.after(ROLLOUT_LIMIT),
        revision: cx.revision,
    }
}

/// Configs and secrets are not part of the state yet, so no reference to one can be good.
fn check_attached(references: &mut References, config: Option<uuid::Uuid>, secret: Option<uuid::Uuid>) {
    if let Some(id) = config {
        references.check(Field::Config, id, false);
    }
    if let Some(id) = secret {
        references.check(Field::Secret, id, false);
    }
}

fn require_free_name(cx: &Context<'_>, account: AccountId, name: &str) -> Result<(), Rejection> {
    match cx.state.service_by_name(account, name) {
        Some(_) => Err(Rejection::NameTaken(Kind::Service)),
        None => Ok(()),
    }
}

fn put(mut changes: Vec<Change>, service: Service) -> Decision {
    changes.push(service.clone().into());
    Decision::new(changes, Outcome::Resource(Box::new(Resource::Service(service))))
}
