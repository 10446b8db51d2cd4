//! What a process beside the first one of a container is described as: the first one, with another command.

use oci_spec::OciSpecError;
use oci_spec::runtime::{BoxBuilder, Process, Spec};
use prost_types::Any;

use crate::containerd::program;
use crate::exec::{ExecError, ExecRequest};
use crate::runtime::RuntimeError;

const TYPE: &str = "types.containerd.io/opencontainers/runtime-spec/1/Process";
/// Programs that draw on terminals ask for its kind, and every terminal understands this one.
const TERM: &str = "TERM=xterm";

/// The description, packed; `container` is that of the container.
pub(super) fn process(container: &[u8], request: &ExecRequest) -> Result<Any, ExecError> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| RuntimeError::Refused {
        doing: "read a container's description",
        source,
    };
    let spec: Spec = serde_json::from_slice(container).map_err(|error| refused(error.into()))?;
    let first = spec.process().clone().unwrap_or_default();
    let process = beside(first, request).map_err(|error| refused(error.into()))?;
    let value = serde_json::to_vec(&process).map_err(|error| refused(error.into()))?;
    let type_url = TYPE.to_owned();
    Ok(Any { type_url, value })
}

fn beside(mut process: Process, request: &ExecRequest) -> Result<Process, OciSpecError> {
    let first = process.args().clone().unwrap_or_default();
    // One with secrets begins with the launcher, which puts them into the environment: so does what runs beside it.
    let args = program::in_front_of(&first).chain(request.command.iter().cloned());
    process.set_args(Some(args.collect()));
    process.set_terminal(Some(request.terminal.is_some()));
    if let Some(size) = request.terminal {
        let size = BoxBuilder::default()
            .width(u64::from(size.width))
            .height(u64::from(size.height))
            .build()?;
        process.set_console_size(Some(size));
        let mut env = process.env().clone().unwrap_or_default();
        if !env.iter().any(|it| it.starts_with("TERM=")) {
            env.push(TERM.to_owned());
        }
        process.set_env(Some(env));
    }
    Ok(process)
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::ProcessBuilder;

    use super::*;
    use crate::exec::TerminalSize;

    fn first(args: &[&str]) -> Process {
        let owned = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let builder = ProcessBuilder::default()
            .args(owned(args))
            .env(owned(&["A=1"]))
            .cwd("/srv");
        builder.build().unwrap()
    }

    fn request(terminal: Option<TerminalSize>) -> ExecRequest {
        ExecRequest {
            command: vec!["ls".to_owned(), "--".to_owned()],
            terminal,
            ..ExecRequest::default()
        }
    }

    #[test]
    fn it_is_as_the_first_one_but_for_its_command() {
        let it = beside(first(&["/server", "--flag"]), &request(None)).unwrap();
        assert_eq!(it.args().as_deref().unwrap(), ["ls", "--"]);
        assert_eq!(it.env().as_deref().unwrap(), ["A=1"]);
        assert_eq!(it.cwd().to_str(), Some("/srv"));
        assert_eq!(it.terminal(), Some(false));
    }

    #[test]
    fn one_with_secrets_is_launched_with_the_same() {
        let args = [program::INSIDE, "TOKEN", "--", "/server", "--"];
        let it = beside(first(&args), &request(None)).unwrap();
        assert_eq!(
            it.args().as_deref().unwrap(),
            [program::INSIDE, "TOKEN", "--", "ls", "--"]
        );
    }

    #[test]
    fn a_terminal_has_a_size_and_a_kind() {
        let size = TerminalSize { width: 80, height: 24 };
        let it = beside(first(&["/server"]), &request(Some(size))).unwrap();
        assert_eq!(it.terminal(), Some(true));
        assert_eq!(it.env().as_deref().unwrap(), ["A=1", "TERM=xterm"]);
        let shown = serde_json::to_value(&it).unwrap();
        assert_eq!(shown["consoleSize"]["width"], 80);
    }
}
