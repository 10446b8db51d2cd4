//! Commands that are run in a container to see how it does.

use std::path::Path;
use std::time::Duration;

use model::ReplicaId;
use tokio::time::timeout;

use super::api::Api;
use super::exec;
use crate::exec::{ExecError, ExecOutput, ExecRequest};
use crate::runtime::{CommandEnd, RuntimeError};

/// So much of what a command prints last is kept to be shown.
const KEPT: usize = 512;

/// Runs `command` in a running container, as its own program runs: same user, folder, variables and limits. Whatever
/// comes out, nothing of it is left in the container.
pub(super) async fn run(
    api: &Api,
    folder: &Path,
    replica: ReplicaId,
    command: &[String],
    limit: Duration,
) -> Result<CommandEnd, RuntimeError> {
    let request = ExecRequest {
        replica: Some(replica),
        command: command.to_vec(),
        ..ExecRequest::default()
    };
    let mut exec = match exec::start(api, folder, request).await {
        Ok(exec) => exec,
        Err(ExecError::NotRunning(_)) => return Ok(CommandEnd::Gone),
        Err(ExecError::NotStarted { message, .. }) => return Ok(CommandEnd::NotRun(message)),
        Err(ExecError::Runtime(error)) => return Err(error),
    };
    let mut printed = Printed::default();
    let ended = timeout(limit, async {
        while let Some(output) = exec.output.recv().await {
            match output {
                ExecOutput::Stdout(bytes) | ExecOutput::Stderr(bytes) => printed.take(&bytes),
                ExecOutput::Ended { code } => return Some(code),
            }
        }
        None
    });
    Ok(match ended.await {
        Ok(Some(code)) => CommandEnd::Exited(code, printed.last_line()),
        Ok(None) => CommandEnd::Gone,
        // It is killed when this lets go of it.
        Err(_) => CommandEnd::TimedOut(printed.last_line()),
    })
}

/// The end of what a command prints.
#[derive(Debug, Default)]
struct Printed(Vec<u8>);

impl Printed {
    fn take(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }

    /// The last line with something in it; empty if there is none.
    fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let last = text.lines().rev().map(str::trim).find(|it| !it.is_empty());
        last.unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_says_something_is_kept() {
        let mut printed = Printed::default();
        assert_eq!(printed.last_line(), "");
        for piece in ["connecting\nno ro", "ute to ", "db:5432\n", "\n  \n"] {
            printed.take(piece.as_bytes());
        }
        assert_eq!(printed.last_line(), "no route to db:5432");
        printed.take("x".repeat(10_000).as_bytes());
        assert_eq!(printed.last_line().len(), KEPT);
    }
}
