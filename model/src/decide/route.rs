//! Routes.

use super::context::References;
use super::{Context, Decision};
use crate::{Change, DomainId, Field, Key, Rejection, Route, RouteDraft, RouteId, RoutePatch, ServiceId, ServiceKind};

pub(super) fn create(cx: &Context<'_>, draft: &RouteDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    check_references(cx, Some(draft.domain), Some(draft.service))?;
    Ok(Decision::put(Route {
        id: RouteId(cx.new_id()),
        account: account.id,
        project: cx.service(draft.service)?.project,
        path: draft.path.clone(),
        enabled: draft.enabled,
        domain: draft.domain,
        service: draft.service,
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
    }))
}

pub(super) fn update(cx: &Context<'_>, id: RouteId, patch: &RoutePatch) -> Result<Decision, Rejection> {
    let mut route = cx.route(id)?.clone();
    check_references(cx, patch.domain, patch.service)?;
    if let Some(path) = &patch.path {
        route.path.clone_from(path);
    }
    if let Some(service) = patch.service {
        route.service = service;
        route.project = cx.service(service)?.project;
    }
    route.enabled = patch.enabled.unwrap_or(route.enabled);
    route.domain = patch.domain.unwrap_or(route.domain);
    route.updated_at = cx.now;
    route.revision = cx.revision;
    Ok(Decision::put(route))
}

pub(super) fn delete(cx: &Context<'_>, id: RouteId) -> Result<Decision, Rejection> {
    cx.route(id)?;
    Ok(Decision::done(vec![Change::Delete(Key::Route(id))]))
}

fn check_references(cx: &Context<'_>, domain: Option<DomainId>, service: Option<ServiceId>) -> Result<(), Rejection> {
    let mut references = References::default();
    if let Some(id) = domain {
        references.check(Field::Domain, id.0, cx.domain(id).is_ok());
    }
    if let Some(id) = service {
        // Nothing can be routed to a worker.
        let routable = cx.service(id).is_ok_and(|it| it.kind() == ServiceKind::Service);
        references.check(Field::Service, id.0, routable);
    }
    references.finish()
}
