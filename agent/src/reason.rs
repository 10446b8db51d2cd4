//! The codes of everything that can keep a replica from running, and how their texts are put together.

use std::error::Error;

use model::Reason;
use nix::sys::signal::Signal;

use crate::runtime::{Ending, OutOfMemory};

/// The registry has no such image.
pub const IMAGE_NOT_FOUND: &str = "image_not_found";
/// The registry does not answer.
pub const REGISTRY_UNREACHABLE: &str = "registry_unreachable";
/// The registry refuses to give the image.
pub const REGISTRY_DENIED: &str = "registry_denied";
/// The registry answers, but with an error of its own.
pub const REGISTRY_ERROR: &str = "registry_error";
/// The image is not made for this host's processor.
pub const WRONG_ARCHITECTURE: &str = "wrong_architecture";
/// The image's name is not one.
pub const INVALID_REFERENCE: &str = "invalid_reference";
/// The image is damaged or of an unknown kind.
pub const INVALID_IMAGE: &str = "invalid_image";
/// No room on the disk.
pub const DISK_FULL: &str = "disk_full";
/// containerd does not answer.
pub const CONTAINERD_UNAVAILABLE: &str = "containerd_unavailable";
/// The container could not be started.
pub const START_FAILED: &str = "start_failed";
/// The program to run is not in the image.
pub const COMMAND_NOT_FOUND: &str = "command_not_found";
/// The program to run is none for this processor.
pub const EXEC_FORMAT_ERROR: &str = "exec_format_error";
/// The program to run may not be run.
pub const PERMISSION_DENIED: &str = "permission_denied";
/// A file or folder of the host that is to be mounted is not there.
pub const VOLUME_MISSING: &str = "volume_missing";
/// The keyring is locked, so that a container with secrets cannot be started.
pub const KEYRING_LOCKED: &str = "keyring_locked";
/// A value of a secret cannot be opened.
pub const SECRET_UNREADABLE: &str = "secret_unreadable";
/// The container ended by itself.
pub const EXITED: &str = "exited";
/// The kernel killed the container, or a part of it, for using more memory than it may.
pub const OUT_OF_MEMORY: &str = "out_of_memory";
/// Nothing ever took a connection on the port.
pub const NEVER_LISTENED: &str = "never_listened";
/// The port took connections and does so no longer.
pub const STOPPED_ANSWERING: &str = "stopped_answering";
/// The health check fails.
pub const HEALTH_FAILED: &str = "health_failed";
/// The container could not be given a network.
pub const NETWORK_FAILED: &str = "network_failed";

/// What to do about a program that is not there.
pub const NOT_IN_IMAGE: &str =
    "the command is not in the image; check the service's command, and the image's entrypoint";
/// What to do about a file that is no program here.
pub const NOT_A_PROGRAM: &str =
    "the program is not made for this host's processor, or is a script without `#!` line; build the image for it";
/// What to do about a program that may not be run.
pub const NOT_EXECUTABLE: &str =
    "the command is not executable in the image; set its mode with chmod +x and build the image again";

/// How the launcher's own messages begin, see `agent/launcher`: the program itself was never reached.
const LAUNCHER_SAYS: &str = "goblins-launcher: ";
const LONGEST_TEXT: usize = 1500;

/// A reason with one of the codes above.
#[must_use]
pub fn reason(code: &str, message: String) -> Reason {
    Reason {
        code: code.to_owned(),
        message: shorten(message),
    }
}

/// An error with its causes, each once: `what: why: why that`.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Why a container that ended by itself is not running, with its last lines, since they usually say it.
#[must_use]
pub fn exited(code: u32, ending: &Ending) -> Reason {
    let last_line = ending.last_lines.last().map_or("", String::as_str);
    if let Some(said) = last_line.strip_prefix(LAUNCHER_SAYS) {
        return reason(launcher_failed(said), format!("the container {said}"));
    }
    let shown = if ending.last_lines.is_empty() {
        "it printed nothing".to_owned()
    } else {
        format!("its last lines: {}", ending.last_lines.join(" | "))
    };
    if last_line.to_lowercase().ends_with("exec format error") {
        return reason(EXEC_FORMAT_ERROR, format!("{NOT_A_PROGRAM}; {shown}"));
    }
    if let Some(it) = ending.out_of_memory {
        return reason(OUT_OF_MEMORY, format!("{}; {shown}", out_of_memory(code, it)));
    }
    reason(EXITED, format!("{}; {shown}", end(code)))
}

/// Why the launcher did not become the program, from what it printed.
fn launcher_failed(said: &str) -> &'static str {
    let said = said.to_lowercase();
    if said.contains("is not in the image") {
        COMMAND_NOT_FOUND
    } else if said.contains("is not executable") {
        PERMISSION_DENIED
    } else if said.contains("exec format error") {
        EXEC_FORMAT_ERROR
    } else {
        START_FAILED
    }
}

fn end(code: u32) -> String {
    match code {
        0 => {
            "the container ended by itself with exit code 0; a service or worker has to keep running in the foreground"
                .to_owned()
        }
        129..=192 => {
            let number = code - 128;
            let name = i32::try_from(number).ok().and_then(|it| Signal::try_from(it).ok());
            let name = name.map_or_else(|| number.to_string(), |it| format!("{number}, {}", it.as_str()));
            format!("the container was ended by signal {name} (exit code {code})")
        }
        _ => format!("the container ended by itself with exit code {code}"),
    }
}

fn out_of_memory(code: u32, it: OutOfMemory) -> String {
    let limit = it.limit.map_or_else(
        || "its limit".to_owned(),
        |limit| format!("its limit of {} MiB", limit.0.div_ceil(1 << 20)),
    );
    format!(
        "the container used more memory than {limit}, and the kernel killed it (exit code {code}); raise \
         resources.limits.memory, or let the program use less"
    )
}

fn shorten(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let end = (0..=LONGEST_TEXT)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push_str(" ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> Ending {
        Ending {
            last_lines: lines.iter().map(|it| (*it).to_owned()).collect(),
            out_of_memory: None,
        }
    }

    #[test]
    fn an_exit_names_its_code_and_shows_the_last_lines() {
        let text = exited(3, &said(&["reading config", "no such file: /etc/app.toml"]));
        assert_eq!(text.code, EXITED);
        assert!(text.message.contains("exit code 3"), "{}", text.message);
        assert!(
            text.message.contains("reading config | no such file: /etc/app.toml"),
            "{}",
            text.message
        );
        let text = exited(139, &said(&[]));
        assert!(
            text.message.contains("signal 11, SIGSEGV (exit code 139)"),
            "{}",
            text.message
        );
        assert_eq!(
            exited(1, &said(&["exec /app: exec format error"])).code,
            EXEC_FORMAT_ERROR
        );
    }

    #[test]
    fn a_lack_of_memory_is_told_with_the_limit_and_the_remedy() {
        let limit = Some(model::ByteCount(64 << 20));
        let ending = Ending {
            out_of_memory: Some(OutOfMemory { limit }),
            ..said(&["loading"])
        };
        let text = exited(137, &ending);
        assert_eq!(text.code, OUT_OF_MEMORY);
        assert!(
            text.message.contains("its limit of 64 MiB") && text.message.contains("resources.limits.memory"),
            "{}",
            text.message
        );
        assert!(
            exited(137, &said(&[])).message.contains("signal 9, SIGKILL"),
            "killed by somebody"
        );
    }

    #[test]
    fn a_program_that_the_launcher_cannot_run_was_not_started() {
        let lines = ["goblins-launcher: cannot run `/app`: it is not in the image; check the service's command"];
        let text = exited(127, &said(&lines));
        assert_eq!(text.code, COMMAND_NOT_FOUND);
        assert!(
            text.message.starts_with("the container cannot run `/app`: it is not"),
            "{}",
            text.message
        );
        let format = "goblins-launcher: cannot run `/app`: Exec format error (os error 8)";
        assert_eq!(exited(126, &said(&[format])).code, EXEC_FORMAT_ERROR);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = reason(EXITED, "ä".repeat(2000)).message;
        assert!(text.len() < 1600 && text.ends_with(" ..."));
    }
}
