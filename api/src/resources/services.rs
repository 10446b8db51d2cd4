//! `/api/services/`

use model::{
    ByteCount, Command, ConfigId, ContainerSpec, DeploymentStatus, Kind, Millicores, Outcome, ProjectId, Resources,
    Revision, SecretId, Service, ServiceDraft, ServiceId, ServicePatch, Timestamp,
};
use uuid::Uuid;

use super::TEXT_MAX;
use crate::errors::ApiError;
use crate::fields::{Field, ResourcesInput, Shape, Values};
use crate::output::Out;
use crate::resource::{Create, Delete, Prepared, Realm, Resource, Update, Writable, missing};
use crate::scalars;
use crate::view::service_status::{ServiceStatus, Standing, service_status};

/// Seconds between SIGTERM and SIGKILL where a service does not say.
const STOP_GRACE_SECONDS: u32 = 10;
/// An hour: nothing should need longer to stop.
const STOP_GRACE_MAX: i64 = 3600;

/// Container images, each run as N replicas.
pub struct Services;

/// A service as it is shown.
pub struct ServiceView {
    service: Service,
    standing: Standing,
}

/// How `service` stands in this state.
pub(super) fn standing(realm: &Realm<'_>, service: &Service) -> Standing {
    let state = realm.state;
    let succeeded_before = state
        .deployments_of(service.id)
        .any(|it| it.id != service.deployment && it.status == DeploymentStatus::Success);
    let replicas = state
        .replicas_of(service.id)
        .map(|replica| (replica, state.node(replica.node)));
    service_status(
        service,
        state.deployment(service.deployment),
        succeeded_before,
        replicas,
    )
}

impl Resource for Services {
    type Model = Service;
    type View = ServiceView;

    const FIELDS: &'static [Field<ServiceView>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.service.id.0.into()),
        Field::required(
            "name",
            Shape::Text { max: 32, blank: false },
            "Unique within the account.",
            |v| (&v.service.name).into(),
        ),
        Field::required(
            "image",
            Shape::Text {
                max: TEXT_MAX,
                blank: false,
            },
            "Such as `nginx:1.25`.",
            |v| (&v.service.spec.image).into(),
        ),
        Field::required(
            "port",
            Shape::Integer { min: 1, max: 65535 },
            "TCP port it listens on.",
            |v| v.service.spec.port.into(),
        ),
        Field::optional(
            "replicas_target",
            Shape::Integer { min: 1, max: 12 },
            "Replicas wanted; default 1.",
            |v| v.service.spec.replicas.into(),
        ),
        Field::read_only(
            "replicas_running",
            Shape::Integer { min: 0, max: i64::MAX },
            "Replicas that answer.",
            |v| v.standing.running.into(),
        ),
        Field::read_only("status", Shape::Choice(ServiceStatus::WORDS), "How it stands.", |v| {
            v.standing.status.word().into()
        }),
        Field::optional_or_null("config", Shape::Reference(Kind::Config), "Its config.", |v| {
            Out::or_null(v.service.spec.config.map(|id| id.0))
        }),
        Field::optional_or_null("secret", Shape::Reference(Kind::Secret), "Its secret.", |v| {
            Out::or_null(v.service.spec.secret.map(|id| id.0))
        }),
        Field::read_only(
            "deploy_successful",
            Shape::Boolean,
            "Whether its newest deployment succeeded.",
            |v| v.standing.deploy_successful.into(),
        ),
        Field::optional(
            "project",
            Shape::Reference(Kind::Project),
            "Default: the account's default project.",
            |v| v.service.project.0.into(),
        ),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| {
            v.service.created_at.into()
        }),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.service.updated_at.into()
        }),
        Field::optional(
            "command",
            Shape::Texts,
            "Replaces the image's entrypoint where not empty.",
            |v| v.service.spec.container.command.iter().collect(),
        ),
        Field::optional(
            "args",
            Shape::Texts,
            "Replaces the image's arguments where not empty.",
            |v| v.service.spec.container.args.iter().collect(),
        ),
        Field::optional("env", Shape::Environment, "Added to the image's environment.", |v| {
            let members = v.service.spec.container.env.iter();
            Out::Object(
                members
                    .map(|(name, value)| (name.clone().into(), value.into()))
                    .collect(),
            )
        }),
        Field::optional(
            "resources",
            Shape::Resources,
            "CPU in millicores, memory in bytes; null is no limit.",
            |v| resources_out(v.service.spec.container.resources),
        ),
        Field::optional(
            "stop_grace_seconds",
            Shape::Integer {
                min: 0,
                max: STOP_GRACE_MAX,
            },
            "Seconds between SIGTERM and SIGKILL; default 10.",
            |v| v.service.spec.container.stop_grace_seconds.into(),
        ),
        Field::read_only(
            "status_reason",
            Shape::Text {
                max: usize::MAX,
                blank: true,
            },
            "Why it is not as wanted; empty when it is.",
            |v| (&v.standing.reason).into(),
        ),
        Field::write_only(
            "notes",
            Shape::Text { max: 4096, blank: true },
            "A note for the deployment this starts.",
        ),
    ];
    const FILTERS_BY_PROJECT: bool = true;

    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a Service> {
        realm.state.services_of(realm.account.id).collect()
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Service> {
        realm
            .state
            .service(ServiceId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(realm: &Realm<'_>, model: &Service) -> ServiceView {
        ServiceView {
            service: model.clone(),
            standing: standing(realm, model),
        }
    }

    fn age(model: &Service) -> (Timestamp, Uuid) {
        (model.created_at, model.id.0)
    }

    fn revision(model: &Service) -> Option<Revision> {
        Some(model.revision)
    }

    fn project(model: &Service) -> Option<ProjectId> {
        Some(model.project)
    }
}

fn resources_out(resources: Resources) -> Out {
    Out::object([
        (
            "limits",
            Out::object([
                ("cpu", Out::or_null(resources.cpu_limit.map(|it| it.0))),
                ("memory", Out::or_null(resources.memory_limit.map(|it| it.0))),
            ]),
        ),
        (
            "reservations",
            Out::object([
                ("cpu", resources.cpu_reservation.0.into()),
                ("memory", resources.memory_reservation.0.into()),
            ]),
        ),
    ])
}

fn resources_in(sent: ResourcesInput) -> Resources {
    Resources {
        cpu_limit: sent.cpu_limit.map(Millicores),
        memory_limit: sent.memory_limit.map(ByteCount),
        cpu_reservation: Millicores(sent.cpu_reservation.unwrap_or_default()),
        memory_reservation: ByteCount(sent.memory_reservation.unwrap_or_default()),
    }
}

/// `spec` with what was sent of it; `None` if nothing was.
fn container(mut spec: ContainerSpec, values: &mut Values) -> Option<ContainerSpec> {
    let command = values.texts("command").map(|it| spec.command = it);
    let args = values.texts("args").map(|it| spec.args = it);
    let env = values.environment("env").map(|it| spec.env = it);
    let resources = values
        .resources("resources")
        .map(|it| spec.resources = resources_in(it));
    let grace = values
        .integer("stop_grace_seconds")
        .map(|it| spec.stop_grace_seconds = it);
    command.or(args).or(env).or(resources).or(grace).map(|()| spec)
}

impl Writable for Services {
    fn from_outcome(outcome: Outcome) -> Option<Service> {
        match outcome {
            Outcome::Resource(resource) => match *resource {
                model::Resource::Service(service) => Some(service),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Create for Services {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Prepared, ApiError> {
        let plain = ContainerSpec {
            stop_grace_seconds: STOP_GRACE_SECONDS,
            ..ContainerSpec::default()
        };
        let draft = ServiceDraft {
            name: values.text("name").ok_or_else(|| missing("name"))?,
            image: values.text("image").ok_or_else(|| missing("image"))?,
            port: values.integer("port").ok_or_else(|| missing("port"))?,
            replicas: values.integer("replicas_target").unwrap_or(1),
            project: values.reference("project").map(ProjectId),
            config: values.nullable_reference("config").flatten().map(ConfigId),
            secret: values.nullable_reference("secret").flatten().map(SecretId),
            container: container(plain.clone(), &mut values).unwrap_or(plain),
            notes: values.text("notes").unwrap_or_default(),
        };
        Ok(Command::CreateService(draft).into())
    }
}

impl Update for Services {
    fn update(own: &Service, mut values: Values) -> Result<Command, ApiError> {
        let patch = ServicePatch {
            name: values.text("name"),
            image: values.text("image"),
            port: values.integer("port"),
            replicas: values.integer("replicas_target"),
            project: values.reference("project").map(ProjectId),
            config: values.nullable_reference("config").map(|id| id.map(ConfigId)),
            secret: values.nullable_reference("secret").map(|id| id.map(SecretId)),
            container: container(own.spec.container.clone(), &mut values),
            notes: values.text("notes").unwrap_or_default(),
        };
        Ok(Command::UpdateService(own.id, patch))
    }
}

impl Delete for Services {
    fn delete(own: &Service) -> Command {
        Command::DeleteService(own.id)
    }
}
