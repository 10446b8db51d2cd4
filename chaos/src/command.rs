//! Runs the machine's own tools (`ip`, `nsenter`, `rustc`) to their end, with a deadline.

use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use thiserror::Error;

/// Long enough for any tool used here on a loaded machine.
pub const TOOL_DEADLINE: Duration = Duration::from_secs(20);

/// Why a tool gave no good answer.
#[derive(Debug, Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot run `{command}`: is it installed? `make deps` installs what the harness needs")]
    Start {
        /// The command line.
        command: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("`{command}` failed ({status}): {stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// Exit code or signal.
        status: String,
        /// The end of what it printed to its standard error.
        stderr: String,
    },
    /// It had to be killed.
    #[error("`{command}` did not end within {deadline:?}, and was killed")]
    TooSlow {
        /// The command line.
        command: String,
        /// How long it was given.
        deadline: Duration,
    },
}

/// Runs `command` with no standard input and gives what it printed, whatever its exit code.
pub fn output(command: &mut Command, deadline: Duration) -> Result<Output, CommandError> {
    let line = describe(command);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| CommandError::Start {
            command: line.clone(),
            source,
        })?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let (send, receive) = mpsc::channel();
    let waiter = thread::spawn(move || send.send(child.wait_with_output()));
    match receive.recv_timeout(deadline) {
        Ok(output) => output.map_err(|source| CommandError::Start { command: line, source }),
        Err(_) => {
            // Not yet waited for, so the id cannot have been given to another process.
            if !waiter.is_finished() {
                let _ = kill(pid, Signal::SIGKILL);
            }
            Err(CommandError::TooSlow {
                command: line,
                deadline,
            })
        }
    }
}

/// Runs `command`, wants exit code 0, and gives its standard output as text.
pub fn run(command: &mut Command) -> Result<String, CommandError> {
    let out = output(command, TOOL_DEADLINE)?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(CommandError::Failed {
        command: describe(command),
        status: out.status.to_string(),
        stderr: last_lines(&String::from_utf8_lossy(&out.stderr), 5),
    })
}

/// The last `count` lines of `text`.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_command_and_its_last_words() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("sh -c") && text.contains('3') && text.ends_with("why"),
            "{text}"
        );
    }

    #[test]
    fn a_tool_that_hangs_is_killed() {
        let error = output(Command::new("sleep").arg("1000"), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, CommandError::TooSlow { .. }));
    }

    #[test]
    fn an_absent_tool_is_named_with_the_remedy() {
        let text = run(&mut Command::new("no-such-tool-here")).unwrap_err().to_string();
        assert!(
            text.contains("no-such-tool-here") && text.contains("make deps"),
            "{text}"
        );
    }
}
