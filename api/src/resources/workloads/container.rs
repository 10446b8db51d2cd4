//! What runs inside a replica, as clients send it and see it.

use model::{ByteCount, ContainerSpec, Millicores, Resources};

use crate::fields::{ResourcesInput, Values};
use crate::output::Out;

/// Seconds between SIGTERM and SIGKILL where nobody says.
const STOP_GRACE_SECONDS: u32 = 10;

/// Where nobody says anything.
pub fn plain() -> ContainerSpec {
    ContainerSpec {
        stop_grace_seconds: STOP_GRACE_SECONDS,
        ..ContainerSpec::default()
    }
}

/// Limits and reservations as they are shown.
pub fn resources_out(resources: Resources) -> Out {
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
pub fn sent(mut spec: ContainerSpec, values: &mut Values) -> Option<ContainerSpec> {
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
