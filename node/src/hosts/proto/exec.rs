//! Commands beside containers, as they pass between nodes.

use agent::{ExecError, ExecInput as Input, ExecOutput as Output, ExecRequest, TerminalSize as Size};

use super::exec_input::What as In;
use super::exec_output::What as Out;
use super::{ExecInput, ExecOutput, ExecRefusal, ExecRefused, ExecStart, TerminalSize, id, sent};

impl ExecInput {
    /// The first message.
    pub(in crate::hosts) fn start(request: &ExecRequest) -> Self {
        Self {
            what: Some(In::Start(ExecStart {
                replica: request.replica.map(|it| sent(it.0)).unwrap_or_default(),
                command: request.command.clone(),
                terminal: request.terminal.map(Into::into),
                stdin: request.stdin,
            })),
        }
    }

    /// What is to be started, in the first message.
    pub(in crate::hosts) fn request(self) -> Option<ExecRequest> {
        let In::Start(start) = self.what? else { return None };
        Some(ExecRequest {
            replica: Some(id(&start.replica)?),
            command: start.command,
            terminal: start.terminal.map(Into::into),
            stdin: start.stdin,
        })
    }

    /// What goes to the process, in all others. `None` for what a newer node sends that means nothing here.
    pub(in crate::hosts) fn read(self) -> Option<Input> {
        match self.what? {
            In::Stdin(bytes) => Some(Input::Stdin(bytes)),
            In::EndOfStdin(_) => Some(Input::EndOfStdin),
            In::Resize(size) => Some(Input::Resize(size.into())),
            In::Start(_) => None,
        }
    }
}

impl From<Input> for ExecInput {
    fn from(input: Input) -> Self {
        let what = match input {
            Input::Stdin(bytes) => In::Stdin(bytes),
            Input::EndOfStdin => In::EndOfStdin(true),
            Input::Resize(size) => In::Resize(size.into()),
        };
        Self { what: Some(what) }
    }
}

impl ExecOutput {
    /// It runs.
    pub(in crate::hosts) fn started() -> Self {
        Self {
            what: Some(Out::Started(true)),
        }
    }

    /// It does not.
    pub(in crate::hosts) fn refused(error: &ExecError) -> Self {
        let (why, code) = match error {
            ExecError::NotRunning(_) => (ExecRefusal::NotRunning, 0),
            ExecError::NotStarted { code, .. } => (ExecRefusal::NotStarted, *code),
            ExecError::Runtime(_) => (ExecRefusal::Failed, 0),
        };
        let refused = ExecRefused {
            why: why.into(),
            code,
            message: error.text(),
        };
        Self {
            what: Some(Out::Refused(refused)),
        }
    }
}

impl From<Output> for ExecOutput {
    fn from(output: Output) -> Self {
        let what = match output {
            Output::Stdout(bytes) => Out::Stdout(bytes),
            Output::Stderr(bytes) => Out::Stderr(bytes),
            Output::Ended { code } => Out::Ended(code),
        };
        Self { what: Some(what) }
    }
}

impl From<Size> for TerminalSize {
    fn from(size: Size) -> Self {
        Self {
            width: size.width.into(),
            height: size.height.into(),
        }
    }
}

impl From<TerminalSize> for Size {
    fn from(size: TerminalSize) -> Self {
        let fit = |it: u32| u16::try_from(it).unwrap_or(u16::MAX);
        Self {
            width: fit(size.width),
            height: fit(size.height),
        }
    }
}
