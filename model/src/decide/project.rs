//! Projects.

use super::{Context, Decision};
use crate::{
    AccountId, Change, Key, Kind, Outcome, Project, ProjectDraft, ProjectId, ProjectPatch, Rejection, Resource,
};

pub(super) fn create(cx: &Context<'_>, draft: &ProjectDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?.id;
    require_free_name(cx, account, &draft.name)?;
    Ok(put(Project {
        id: ProjectId(cx.new_id()),
        account,
        name: draft.name.clone(),
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
    }))
}

pub(super) fn update(cx: &Context<'_>, id: ProjectId, patch: &ProjectPatch) -> Result<Decision, Rejection> {
    let mut project = cx.project(id)?.clone();
    if let Some(name) = patch.name.as_ref().filter(|name| **name != project.name) {
        require_free_name(cx, project.account, name)?;
        project.name.clone_from(name);
    }
    project.updated_at = cx.now;
    project.revision = cx.revision;
    Ok(put(project))
}

pub(super) fn delete(cx: &Context<'_>, id: ProjectId) -> Result<Decision, Rejection> {
    let project = cx.project(id)?;
    if let Some(used_by) = users(cx, project) {
        return Err(Rejection::InUse {
            kind: Kind::Project,
            used_by,
        });
    }
    Ok(Decision::done(vec![Change::Delete(Key::Project(id))]))
}

fn users(cx: &Context<'_>, project: &Project) -> Option<String> {
    let services = cx
        .state
        .services_in(project.id)
        .map(|it| format!("service {}", it.name));
    let domains = cx
        .state
        .domains_in(project.id)
        .map(|it| format!("domain {}", it.hostname));
    let default = cx
        .state
        .account(project.account)
        .filter(|it| it.default_project == project.id);
    let default = default.map(|it| format!("account {} as its default project", it.name));
    let users: Vec<_> = default.into_iter().chain(services).chain(domains).take(10).collect();
    (!users.is_empty()).then(|| users.join(", "))
}

fn require_free_name(cx: &Context<'_>, account: AccountId, name: &str) -> Result<(), Rejection> {
    match cx.state.project_by_name(account, name) {
        Some(_) => Err(Rejection::NameTaken(Kind::Project)),
        None => Ok(()),
    }
}

fn put(project: Project) -> Decision {
    Decision::new(
        vec![project.clone().into()],
        Outcome::Resource(Box::new(Resource::Project(project))),
    )
}
