//! What is said of a container whose check fails: the check, what was got, and what to do.

use std::time::Duration;

use model::Reason;

use super::Asked;
use crate::reason;

/// Why it is not fit. `got` goes on from what was asked.
pub(super) fn reason(asked: &Asked, got: &str, was_fit: bool, age: Duration) -> Reason {
    match asked {
        Asked::Port(target) if was_fit => stopped_answering(target.port()),
        Asked::Port(target) => never_listened(target.port(), age.as_secs()),
        Asked::Path(target, path) => reason::reason(
            reason::HEALTH_FAILED,
            format!("`GET {path}` on port {} {got}", target.port()),
        ),
        Asked::Command(_, command, _) => reason::reason(
            reason::HEALTH_FAILED,
            format!("the health check `{}` {got}", command.join(" ")),
        ),
    }
}

fn never_listened(port: u16, seconds: u64) -> Reason {
    reason::reason(
        reason::NEVER_LISTENED,
        format!(
            "the container runs, but {seconds} s after its start nothing accepts connections on TCP port {port}; let \
             the program listen on 0.0.0.0:{port} (not on 127.0.0.1), or set the service's port to the one it uses"
        ),
    )
}

fn stopped_answering(port: u16) -> Reason {
    reason::reason(
        reason::STOPPED_ANSWERING,
        format!(
            "the container runs, but no longer accepts connections on TCP port {port}; it gets requests again once it \
             does; see its log for why it hangs"
        ),
    )
}
