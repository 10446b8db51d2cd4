//! Domains.

use super::config::check_project;
use super::context::refuse_if_used;
use super::{Context, Decision};
use crate::{Change, Domain, DomainDraft, DomainId, DomainPatch, Key, Kind, Rejection};

pub(super) fn create(cx: &Context<'_>, draft: &DomainDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let project = draft.project.unwrap_or(account.default_project);
    check_project(cx, project)?;
    require_free(cx, &draft.hostname)?;
    Ok(Decision::put(Domain {
        id: DomainId(cx.new_id()),
        account: account.id,
        project,
        hostname: draft.hostname.clone(),
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
    }))
}

pub(super) fn update(cx: &Context<'_>, id: DomainId, patch: &DomainPatch) -> Result<Decision, Rejection> {
    let mut domain = cx.domain(id)?.clone();
    if let Some(project) = patch.project {
        check_project(cx, project)?;
        domain.project = project;
    }
    if let Some(hostname) = patch.hostname.as_ref().filter(|it| **it != domain.hostname) {
        require_free(cx, hostname)?;
        domain.hostname.clone_from(hostname);
    }
    domain.updated_at = cx.now;
    domain.revision = cx.revision;
    Ok(Decision::put(domain))
}

pub(super) fn delete(cx: &Context<'_>, id: DomainId) -> Result<Decision, Rejection> {
    cx.domain(id)?;
    let routes = cx.state.routes_of_domain(id);
    refuse_if_used(Kind::Domain, routes.map(|it| format!("route {} ({})", it.path, it.id)))?;
    Ok(Decision::done(vec![Change::Delete(Key::Domain(id))]))
}

fn require_free(cx: &Context<'_>, hostname: &str) -> Result<(), Rejection> {
    match cx.state.domain_by_exact_hostname(hostname) {
        Some(_) => Err(Rejection::HostnameTaken),
        None => Ok(()),
    }
}
