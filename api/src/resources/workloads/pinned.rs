//! What the containers of a deployment run with, as it was pinned when that began.

use model::{ServiceSpec, Settings};

use super::container::resources_out;
use super::settings::{self, DRAIN_SECONDS, HEALTH_CHECK, PLACEMENT, RESTART_POLICY, VOLUMES};
use super::table::STOP_GRACE;
use crate::fields::{FieldSpec, Shape};
use crate::output::Out;

/// What it has, each under the name that it has in a service or worker.
pub const PINNED: &[FieldSpec] = &[
    FieldSpec::member(
        "command",
        Shape::Texts,
        "Replaces the image's entrypoint where not empty.",
    ),
    FieldSpec::member("args", Shape::Texts, "Replaces the image's arguments where not empty."),
    FieldSpec::member("env", Shape::Environment, "Added to the image's environment."),
    FieldSpec::member(
        "resources",
        Shape::Resources,
        "CPU in millicores, memory in bytes; null is no limit.",
    ),
    FieldSpec::member("stop_grace_seconds", STOP_GRACE, "Seconds between SIGTERM and SIGKILL."),
    FieldSpec::member(
        "health_check",
        Shape::Object(HEALTH_CHECK),
        "How it is found out whether a replica is fit.",
    ),
    FieldSpec::member(
        "restart_policy",
        Shape::Object(RESTART_POLICY),
        "When a container that ended is started again.",
    ),
    FieldSpec::member("drain_seconds", DRAIN_SECONDS, "Seconds that requests in flight have."),
    FieldSpec::member("placement", Shape::Object(PLACEMENT), "Where replicas go."),
    FieldSpec::member(
        "volumes",
        Shape::Objects(VOLUMES),
        "Files and folders of the host in the container.",
    ),
];

/// As it is shown.
pub fn pinned_out(spec: &ServiceSpec, settings: &Settings) -> Out {
    let container = &spec.container;
    let env = container.env.iter();
    Out::object([
        ("command", container.command.iter().collect()),
        ("args", container.args.iter().collect()),
        (
            "env",
            Out::Object(env.map(|(name, value)| (name.clone().into(), value.into())).collect()),
        ),
        ("resources", resources_out(container.resources)),
        ("stop_grace_seconds", container.stop_grace_seconds.into()),
        ("health_check", settings::health_check_out(&settings.check(spec.port))),
        ("restart_policy", settings::restart_out(settings.restart)),
        ("drain_seconds", settings::drain_out(settings.drain_seconds)),
        ("placement", settings::placement_out(&settings.placement)),
        ("volumes", settings::volumes_out(&settings.volumes)),
    ])
}
