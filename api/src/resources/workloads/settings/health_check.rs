//! How it is found out whether a replica is fit for requests.

use model::{HealthCheck, Probe, ServiceKind};

use super::HOUR;
use crate::fields::{FieldSpec, Shape, Values};
use crate::output::Out;
use crate::texts;

const TYPES: &[&str] = &["tcp", "http", "command", "none"];
const PATH_MAX: usize = 2048;
const TIMEOUT_MAX: i64 = 300;
const THRESHOLD_MAX: i64 = 100;

/// Its members.
pub const HEALTH_CHECK: &[FieldSpec] = &[
    FieldSpec::member(
        "type",
        Shape::Choice(TYPES),
        "`tcp`: the port takes a connection; `http`: a GET is answered with 2xx or 3xx; `command`: a command in the \
         container ends with exit code 0; `none`: its program has run for a moment.",
    )
    .required(),
    FieldSpec::member(
        "path",
        Shape::Text {
            max: PATH_MAX,
            blank: false,
        },
        "Needed for `http`.",
    )
    .or_null(),
    FieldSpec::member(
        "port",
        Shape::Integer { min: 1, max: 65535 },
        "For `tcp` and `http`; null (default): the service's.",
    )
    .or_null(),
    FieldSpec::member("command", Shape::Texts, "Needed for `command`: program and arguments."),
    FieldSpec::member(
        "interval_seconds",
        Shape::Integer { min: 1, max: HOUR },
        "Between two checks; default 1 for `tcp`, 2 for `http`, 5 for `command`.",
    ),
    FieldSpec::member(
        "timeout_seconds",
        Shape::Integer {
            min: 1,
            max: TIMEOUT_MAX,
        },
        "A check that takes longer has failed; default as `interval_seconds`.",
    ),
    FieldSpec::member(
        "threshold",
        Shape::Integer {
            min: 1,
            max: THRESHOLD_MAX,
        },
        "So many failures in a row take a replica out of service, as many again have it restarted; default 3.",
    ),
    FieldSpec::member(
        "success_threshold",
        Shape::Integer {
            min: 1,
            max: THRESHOLD_MAX,
        },
        "So many successes in a row put it into service; default 1.",
    ),
    FieldSpec::member(
        "start_grace_seconds",
        Shape::Integer { min: 0, max: HOUR },
        "After a start failures count for nothing for so long, or until the first success; default 60.",
    ),
];

/// As it is shown.
pub fn health_check_out(it: &HealthCheck) -> Out {
    let (kind, path, command) = match &it.probe {
        Probe::Tcp => (TYPES[0], None, [].as_slice()),
        Probe::Http { path } => (TYPES[1], Some(path.as_str()), [].as_slice()),
        Probe::Command(command) => (TYPES[2], None, command.as_slice()),
        Probe::None => (TYPES[3], None, [].as_slice()),
    };
    Out::object([
        ("type", kind.into()),
        ("path", Out::or_null(path)),
        ("port", Out::or_null(it.port)),
        ("command", command.iter().collect()),
        ("interval_seconds", it.interval_seconds.into()),
        ("timeout_seconds", it.timeout_seconds.into()),
        ("threshold", it.threshold.into()),
        ("success_threshold", it.success_threshold.into()),
        ("start_grace_seconds", it.start_grace_seconds.into()),
    ])
}

/// What a client says of it; `None` is the usual one for its kind.
pub fn sent(mut sent: Values, kind: ServiceKind) -> Result<Option<HealthCheck>, Vec<String>> {
    let mut wrong = Vec::new();
    let (path, port) = (sent.text("path"), sent.integer("port"));
    let command = sent.texts("command").unwrap_or_default();
    let name = sent.text("type").unwrap_or_default();
    for (member, is_sent, of) in [
        ("path", path.is_some(), ["http"].as_slice()),
        ("port", port.is_some(), &["tcp", "http"]),
        ("command", !command.is_empty(), &["command"]),
    ] {
        if is_sent && !of.contains(&name.as_str()) {
            wrong.push(texts::not_for(member, &name));
        }
    }
    let probe = match name.as_str() {
        "http" => Probe::Http {
            path: path.unwrap_or_else(|| {
                wrong.push(texts::needed_for("path", &name));
                String::new()
            }),
        },
        "command" => Probe::Command(command),
        "none" => Probe::None,
        _ => Probe::Tcp,
    };
    match &probe {
        Probe::Http { path } if !path.is_empty() && !is_path(path) => {
            wrong.push(format!("path: {}", texts::BAD_CHECK_PATH));
        }
        Probe::Command(command) if command.first().is_none_or(String::is_empty) => {
            wrong.push(format!("command: {}", texts::EMPTY_COMMAND));
        }
        Probe::Tcp | Probe::Http { .. } if kind == ServiceKind::Worker && port.is_none() => {
            wrong.push(format!("port: {}", texts::WORKER_HAS_NO_PORT));
        }
        _ => {}
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let plain = HealthCheck::plain(probe);
    let check = HealthCheck {
        port,
        interval_seconds: sent.integer("interval_seconds").unwrap_or(plain.interval_seconds),
        timeout_seconds: sent.integer("timeout_seconds").unwrap_or(plain.timeout_seconds),
        threshold: sent.integer("threshold").unwrap_or(plain.threshold),
        success_threshold: sent.integer("success_threshold").unwrap_or(plain.success_threshold),
        start_grace_seconds: sent.integer("start_grace_seconds").unwrap_or(plain.start_grace_seconds),
        probe: plain.probe,
    };
    let usual = match kind {
        ServiceKind::Service => Probe::Tcp,
        ServiceKind::Worker => Probe::None,
    };
    Ok(Some(check).filter(|it| *it != HealthCheck::plain(usual)))
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|it| it.is_ascii_graphic() && it != b'#')
}
