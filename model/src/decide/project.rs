//! Projects, each with its default config and secret.

use super::context::refuse_if_used;
use super::{Context, Decision, config, secret};
use crate::{
    AccountId, Change, Config, ConfigId, Key, Kind, Project, ProjectDraft, ProjectId, ProjectPatch, Rejection, Secret,
    SecretId, ServiceKind,
};

/// What the project is called that every account begins with, and the config and secret that every project has.
pub(super) const DEFAULT: &str = "Default";

pub(super) fn create(cx: &Context<'_>, draft: &ProjectDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?.id;
    require_free_name(cx, account, &draft.name)?;
    let (project, changes) = fresh(cx, account, &draft.name, 0);
    Ok(Decision::put_after(changes, project))
}

/// A project as it begins, and what is made with it. Takes three ids from the `first` on.
pub(super) fn fresh(cx: &Context<'_>, account: AccountId, name: &str, first: u64) -> (Project, Vec<Change>) {
    let project = Project {
        id: ProjectId(cx.fresh(first)),
        account,
        name: name.to_owned(),
        default_config: ConfigId(cx.fresh(first + 1)),
        default_secret: SecretId(cx.fresh(first + 2)),
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
    };
    let config = Config {
        is_default: true,
        ..config::fresh(cx, project.default_config, account, project.id, DEFAULT)
    };
    let secret = Secret {
        is_default: true,
        ..secret::fresh(cx, project.default_secret, account, project.id, DEFAULT)
    };
    (project, vec![config.into(), secret.into()])
}

pub(super) fn update(cx: &Context<'_>, id: ProjectId, patch: &ProjectPatch) -> Result<Decision, Rejection> {
    let mut project = cx.project(id)?.clone();
    if let Some(name) = patch.name.as_ref().filter(|name| **name != project.name) {
        require_free_name(cx, project.account, name)?;
        project.name.clone_from(name);
    }
    project.updated_at = cx.now;
    project.revision = cx.revision;
    Ok(Decision::put(project))
}

pub(super) fn delete(cx: &Context<'_>, id: ProjectId) -> Result<Decision, Rejection> {
    let project = cx.project(id)?;
    let default = cx
        .state
        .account(project.account)
        .filter(|it| it.default_project == project.id)
        .map(|it| format!("account {} as its default project", it.name));
    refuse_if_used(Kind::Project, default.into_iter().chain(contents(cx, project)))?;
    Ok(Decision::done(removal(cx, project)))
}

/// A project without contents and its defaults go.
pub(super) fn removal(cx: &Context<'_>, project: &Project) -> Vec<Change> {
    let mut changes = config::removal(cx, project.default_config);
    changes.extend(secret::removal(cx, project.default_secret));
    changes.push(Change::Delete(Key::Project(project.id)));
    changes
}

/// Names of what is in a project besides its defaults.
pub(super) fn contents<'a>(cx: &Context<'a>, project: &'a Project) -> impl Iterator<Item = String> + 'a {
    let state = cx.state;
    let services = state.services_in(project.id, ServiceKind::Service).all().into_iter();
    let workers = state.services_in(project.id, ServiceKind::Worker).all().into_iter();
    let domains = state.domains_in(project.id).all().into_iter();
    let configs = state.configs_in(project.id).all().into_iter();
    let secrets = state.secrets_in(project.id).all().into_iter();
    services
        .map(|it| format!("service {}", it.name))
        .chain(workers.map(|it| format!("worker {}", it.name)))
        .chain(domains.map(|it| format!("domain {}", it.hostname)))
        .chain(
            configs
                .filter(|it| !it.is_default)
                .map(|it| format!("config {}", it.name)),
        )
        .chain(
            secrets
                .filter(|it| !it.is_default)
                .map(|it| format!("secret {}", it.name)),
        )
}

fn require_free_name(cx: &Context<'_>, account: AccountId, name: &str) -> Result<(), Rejection> {
    match cx.state.project_by_name(account, name) {
        Some(_) => Err(Rejection::NameTaken(Kind::Project)),
        None => Ok(()),
    }
}
