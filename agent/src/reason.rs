//! The codes of everything that can keep a replica from running, and how their texts are put together.
//!
//! `never_listened` and `stopped_answering` come from `planner::converge`, which alone can judge them.

use std::error::Error;

use model::Reason;

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
/// The keyring is locked, so that a container with secrets cannot be started.
pub const KEYRING_LOCKED: &str = "keyring_locked";
/// A value of a secret cannot be opened.
pub const SECRET_UNREADABLE: &str = "secret_unreadable";
/// The container ended by itself.
pub const EXITED: &str = "exited";
/// The container could not be given a network.
pub const NETWORK_FAILED: &str = "network_failed";

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
pub fn exited(code: u32, last_lines: &[String]) -> Reason {
    if let Some(said) = last_lines.last().and_then(|line| line.strip_prefix(LAUNCHER_SAYS)) {
        return reason(START_FAILED, format!("the container {said}"));
    }
    let what = match code {
        0 => {
            "the container ended by itself with exit code 0; a service or worker has to keep running in the foreground"
                .to_owned()
        }
        137 => "the container was killed by SIGKILL (exit code 137), most often because it used more memory than its \
                limit; raise its memory limit or let it use less"
            .to_owned(),
        128..=192 => format!("the container was ended by signal {} (exit code {code})", code - 128),
        _ => format!("the container ended by itself with exit code {code}"),
    };
    let shown = if last_lines.is_empty() {
        "it printed nothing".to_owned()
    } else {
        format!("its last lines: {}", last_lines.join(" | "))
    };
    let code = if last_lines.iter().any(|line| line.contains("exec format error")) {
        START_FAILED
    } else {
        EXITED
    };
    reason(code, format!("{what}; {shown}"))
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

    #[test]
    fn an_exit_names_its_code_and_shows_the_last_lines() {
        let text = exited(
            3,
            &["reading config".to_owned(), "no such file: /etc/app.toml".to_owned()],
        );
        assert_eq!(text.code, EXITED);
        assert!(text.message.contains("exit code 3"), "{}", text.message);
        assert!(
            text.message.contains("reading config | no such file"),
            "{}",
            text.message
        );
        assert!(exited(137, &[]).message.contains("memory"));
        assert!(exited(139, &[]).message.contains("signal 11"));
        assert_eq!(
            exited(1, &["exec /app: exec format error".to_owned()]).code,
            START_FAILED
        );
    }

    #[test]
    fn a_program_that_the_launcher_cannot_run_was_not_started() {
        let lines =
            ["goblins-launcher: cannot run `/app`: it is not in the image; check the service's command".to_owned()];
        let text = exited(127, &lines);
        assert_eq!(text.code, START_FAILED);
        assert!(
            text.message.starts_with("the container cannot run `/app`: it is not"),
            "{}",
            text.message
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = reason(EXITED, "ä".repeat(2000)).message;
        assert!(text.len() < 1600 && text.ends_with(" ..."));
    }
}
