//! `/api/routes/`

use model::{Command, DomainId, Kind, Outcome, ProjectId, Revision, Route, RouteDraft, RouteId, RoutePatch};
use model::{ServiceId, Timestamp};
use uuid::Uuid;

use super::TEXT_MAX;
use super::services::standing;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Prepared, Realm, Resource, Update, Writable, missing};
use crate::scalars;
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
        Field::required(
            "path",
            Shape::Text {
                max: TEXT_MAX,
                blank: false,
            },
            "A prefix on segment borders; the longest wins.",
            |v| (&v.route.path).into(),
        ),
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

    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a Route> {
        realm.state.routes_of(realm.account.id).collect()
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

    fn age(model: &Route) -> (Timestamp, Uuid) {
        (model.created_at, model.id.0)
    }

    fn revision(model: &Route) -> Option<Revision> {
        Some(model.revision)
    }

    fn project(model: &Route) -> Option<ProjectId> {
        Some(model.project)
    }
}

/// Off: `not ready`. A replica answers on a node that is up: `ready`. Else as the service stands: `error`, or `pending`
/// until a replica answers.
fn status(realm: &Realm<'_>, route: &Route) -> ServiceStatus {
    let Some(service) = realm.state.service(route.service).filter(|_| route.enabled) else {
        return ServiceStatus::NotReady;
    };
    let standing = standing(realm, service);
    match standing.status {
        _ if standing.running > 0 => ServiceStatus::Ready,
        ServiceStatus::Error => ServiceStatus::Error,
        _ => ServiceStatus::Pending,
    }
}

impl Writable for Routes {
    fn from_outcome(outcome: Outcome) -> Option<Route> {
        match outcome {
            Outcome::Resource(resource) => match *resource {
                model::Resource::Route(route) => Some(route),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Create for Routes {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Prepared, ApiError> {
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
        Ok(Command::CreateRoute(draft).into())
    }
}

impl Update for Routes {
    fn update(own: &Route, mut values: Values) -> Result<Command, ApiError> {
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
