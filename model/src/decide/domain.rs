//! Domains.

use super::context::References;
use super::{Context, Decision};
use crate::{Change, Domain, DomainDraft, DomainId, Field, Key, Kind, Outcome, Rejection, Resource};

pub(super) fn create(cx: &Context<'_>, draft: &DomainDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let project = draft.project.unwrap_or(account.default_project);
    let mut references = References::default();
    references.check(Field::Project, project.0, cx.project(project).is_ok());
    references.finish()?;
    require_free(cx, &draft.hostname)?;
    Ok(put(Domain {
        id: DomainId(cx.new_id()),
        account: account.id,
        project,
        hostname: draft.hostname.clone(),
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
    }))
}

pub(super) fn update(cx: &Context<'_>, id: DomainId, hostname: Option<&str>) -> Result<Decision, Rejection> {
    let mut domain = cx.domain(id)?.clone();
    if let Some(hostname) = hostname.filter(|hostname| *hostname != domain.hostname) {
        require_free(cx, hostname)?;
        domain.hostname = hostname.to_owned();
    }
    domain.updated_at = cx.now;
    domain.revision = cx.revision;
    Ok(put(domain))
}

pub(super) fn delete(cx: &Context<'_>, id: DomainId) -> Result<Decision, Rejection> {
    cx.domain(id)?;
    let users: Vec<_> = cx
        .state
        .routes_of_domain(id)
        .take(10)
        .map(|it| format!("route {} ({})", it.path, it.id))
        .collect();
    if !users.is_empty() {
        return Err(Rejection::InUse {
            kind: Kind::Domain,
            used_by: users.join(", "),
        });
    }
    Ok(Decision::done(vec![Change::Delete(Key::Domain(id))]))
}

fn require_free(cx: &Context<'_>, hostname: &str) -> Result<(), Rejection> {
    match cx.state.domain_by_exact_hostname(hostname) {
        Some(_) => Err(Rejection::HostnameTaken),
        None => Ok(()),
    }
}

fn put(domain: Domain) -> Decision {
    Decision::new(
        vec![domain.clone().into()],
        Outcome::Resource(Box::new(Resource::Domain(domain))),
    )
}
