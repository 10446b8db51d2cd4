//! `/api/routes/`

use model::{
    Command, DomainId, Key, Kind, Members, Node, ProjectId, Revision, Route, RouteDraft, RouteId, RoutePatch, ServiceId,
};

use super::TEXT;
use super::workloads::standing;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome, missing};
use crate::scalars;
use crate::view::arrival::has_arrived;
use crate::view::service_status::ServiceStatus;

/// Ways from a domain to a service.
pub struct Routes;

/// A route as it is shown.
pub struct RouteView {
    route: Route,
    status: ServiceStatus,
}

impl Resource for Routes {
    type Model = Route;
    type View = RouteView;

    const FIELDS: &'static [Field<RouteView>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.route.id.0.into()),
        Field::required("path", TEXT, "A prefix on segment borders; the longest wins.", |v| {
            (&v.route.path).into()
        }),
        Field::optional(
            "enabled",
            Shape::Boolean,
            "Whether proxies use it; default true.",
            |v| v.route.enabled.into(),
        ),
        Field::required(
            "domain",
            Shape::Reference(Kind::Domain),
            "A domain of the account.",
            |v| v.route.domain.0.into(),
        ),
        Field::required(
            "service",
            Shape::Reference(Kind::Service),
            "A service of the account.",
            |v| v.route.service.0.into(),
        ),
        Field::read_only("status", Shape::Choice(ServiceStatus::WORDS), "How it stands.", |v| {
            v.status.word().into()
        }),
        Field::read_only(
            "deploy_successful",
            Shape::Boolean,
            "Whether requests can reach the service.",
            |v| (v.status == ServiceStatus::Ready).into(),
        ),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| {
            v.route.created_at.into()
        }),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.route.updated_at.into()
        }),
        Field::read_only(
            "project",
            Shape::Reference(Kind::Project),
            "Its service's project.",
            |v| v.route.project.0.into(),
        ),
    ];
    const FILTERS_BY_PROJECT: bool = true;

    fn all<'a>(realm: &Realm<'a>, project: Option<ProjectId>) -> Members<'a, Route> {
        realm.filed(
            project,
            |state, id| state.routes_of(id),
            |state, id| state.routes_in(id),
        )
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Route> {
        realm
            .state
            .route(RouteId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(realm: &Realm<'_>, model: &Route) -> RouteView {
        RouteView {
            route: model.clone(),
            status: status(realm, model),
        }
    }

    /// No proxy is known to have it yet.
    fn newborn(_realm: &Realm<'_>, model: &Route) -> RouteView {
        RouteView {
            route: model.clone(),
            status: if model.enabled {
                ServiceStatus::Pending
            } else {
                ServiceStatus::NotReady
            },
        }
    }

    fn version(model: &Route) -> Option<(Key, Revision)> {
        Some((Key::Route(model.id), model.revision))
    }
}

/// Off: `not ready`. Every live node's proxy has it, and a replica answers on a node that is up: `ready`. Else as the
/// service stands: `error`, or `pending` until it is so.
fn status(realm: &Realm<'_>, route: &Route) -> ServiceStatus {
    let Some(service) = realm.state.service(route.service).filter(|_| route.enabled) else {
        return ServiceStatus::NotReady;
    };
    let standing = standing(realm, service);
    let is_up = |id| realm.state.node(id).is_some_and(Node::is_up);
    match standing.status {
        _ if standing.running > 0 && has_arrived(realm.cluster(), route.revision, is_up) => ServiceStatus::Ready,
        ServiceStatus::Error if standing.running == 0 => ServiceStatus::Error,
        _ => ServiceStatus::Pending,
    }
}

impl Writable for Routes {
    from_outcome!(Route);
}

impl Create for Routes {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        let draft = RouteDraft {
            path: values.text("path").ok_or_else(|| missing("path"))?,
            enabled: values.boolean("enabled").unwrap_or(true),
            domain: values
                .reference("domain")
                .map(DomainId)
                .ok_or_else(|| missing("domain"))?,
            service: values
                .reference("service")
                .map(ServiceId)
                .ok_or_else(|| missing("service"))?,
        };
        Ok(Command::CreateRoute(draft))
    }
}

impl Update for Routes {
    fn update(_realm: &Realm<'_>, own: &Route, mut values: Values) -> Result<Command, ApiError> {
        let patch = RoutePatch {
            path: values.text("path"),
            enabled: values.boolean("enabled"),
            domain: values.reference("domain").map(DomainId),
            service: values.reference("service").map(ServiceId),
        };
        Ok(Command::UpdateRoute(own.id, patch))
    }
}

impl Delete for Routes {
    fn delete(own: &Route) -> Command {
        Command::DeleteRoute(own.id)
    }
}
