//! The fields of services, and of workers: the same without a port.

use model::Kind;

use super::View;
use super::container::resources_out;
use super::settings::{self, DRAIN_SECONDS, HEALTH_CHECK, PLACEMENT, RESTART_POLICY, UPDATE, VOLUMES};
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::resources::{ANY_TEXT, NOTES, TEXT};
use crate::view::service_status::ServiceStatus;

/// An hour: nothing should need longer to stop.
pub const STOP_GRACE: Shape = Shape::Integer { min: 0, max: 3600 };

/// The fields of services in the order shown.
pub const OF_SERVICES: [Field<View>; 29] = [
    Field::read_only("id", Shape::Id, "Its id.", |v| v.service.id.0.into()),
    Field::required(
        "name",
        Shape::Text { max: 32, blank: false },
        "Unique within the account.",
        |v| (&v.service.name).into(),
    ),
    Field::required("image", TEXT, "Such as `nginx:1.25`.", |v| {
        (&v.service.spec.image).into()
    }),
    Field::required(
        "port",
        Shape::Integer { min: 1, max: 65535 },
        "TCP port it listens on.",
        |v| Out::or_null(v.service.spec.port),
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
    Field::optional_or_null(
        "config",
        Shape::Reference(Kind::Config),
        "Its config. Default: its project's.",
        |v| Out::or_null(v.service.spec.config.map(|id| id.0)),
    ),
    Field::optional_or_null(
        "secret",
        Shape::Reference(Kind::Secret),
        "Its secret. Default: its project's.",
        |v| Out::or_null(v.service.spec.secret.map(|id| id.0)),
    ),
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
        STOP_GRACE,
        "Seconds between SIGTERM and SIGKILL; default 10.",
        |v| v.service.spec.container.stop_grace_seconds.into(),
    ),
    Field::read_only(
        "status_reason",
        ANY_TEXT,
        "Why it is not as wanted; empty when it is.",
        |v| (&v.standing.reason).into(),
    ),
    Field::optional_or_null(
        "health_check",
        Shape::Object(HEALTH_CHECK),
        "How it is found out whether a replica is fit for requests. Default, and with null: its port takes connections.",
        |v| settings::health_check_out(&v.settings.check(v.service.spec.port)),
    ),
    Field::optional("update", Shape::Object(UPDATE), "How rollouts go.", |v| {
        settings::update_out(v.settings.update)
    }),
    Field::optional(
        "restart_policy",
        Shape::Object(RESTART_POLICY),
        "When a container that ended is started again.",
        |v| settings::restart_out(v.settings.restart),
    ),
    Field::optional(
        "drain_seconds",
        DRAIN_SECONDS,
        "Seconds that requests in flight have before a container is told to stop; default 30.",
        |v| settings::drain_out(v.settings.drain_seconds),
    ),
    Field::optional("placement", Shape::Object(PLACEMENT), "Where replicas go.", |v| {
        settings::placement_out(&v.settings.placement)
    }),
    Field::optional(
        "volumes",
        Shape::Objects(VOLUMES),
        "Files and folders of the host in the container; only for admins.",
        |v| settings::volumes_out(&v.settings.volumes),
    ),
    Field::optional_or_null(
        "registry_secret",
        Shape::Reference(Kind::Secret),
        "The secret with the credentials for its image's registry.",
        |v| Out::or_null(v.settings.registry_secret.map(|id| id.0)),
    ),
    Field::read_only(
        "deployment",
        Shape::Reference(Kind::Deployment),
        "Its newest deployment.",
        |v| v.service.deployment.0.into(),
    ),
    Field::read_only(
        "version",
        Shape::Integer { min: 1, max: i64::MAX },
        "That deployment's version.",
        |v| v.service.version.into(),
    ),
    Field::write_only("notes", NOTES, "A note for the deployment this starts."),
];

/// Where the port is in it.
const PORT: usize = 3;

/// The fields of workers in the order shown.
pub const OF_WORKERS: [Field<View>; OF_SERVICES.len() - 1] = {
    assert!(matches!(OF_SERVICES[PORT].spec.name.as_bytes(), b"port"));
    let mut fields = [OF_SERVICES[0]; OF_SERVICES.len() - 1];
    let mut at = 0;
    while at < fields.len() {
        fields[at] = OF_SERVICES[if at < PORT { at } else { at + 1 }];
        at += 1;
    }
    fields
};
