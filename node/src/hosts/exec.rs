//! Commands beside replicas of whichever host: started here or there, with the same pieces passing either way.

use std::time::Duration;

use agent::{ExecError, ExecInput as HostInput, ExecOutput as HostOutput, TerminalSize as HostSize};
use api::{ExecFault, ExecInput, ExecOutput, ExecRequest, ExecSession, TerminalSize};
use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::proto::exec_output::What;
use super::{Hosts, proto};

/// How long a host may take to start a command.
const START: Duration = Duration::from_secs(15);
/// Pieces on their way at most, in each direction.
const BACKLOG: usize = 8;

#[async_trait]
impl api::Execs for Hosts {
    async fn exec(&self, request: ExecRequest) -> Result<ExecSession, ExecFault> {
        if request.node == self.cluster.node_id() {
            self.exec_here(request).await
        } else {
            self.exec_there(request).await
        }
    }
}

impl Hosts {
    async fn exec_here(&self, request: ExecRequest) -> Result<ExecSession, ExecFault> {
        let starting = || ExecFault::Unavailable("This node is starting; ask again.".to_owned());
        let parts = self.local.get().ok_or_else(starting)?;
        let agent::Exec {
            input: to,
            output: mut from,
        } = parts.runtime.exec(host_request(&request)).await.map_err(fault)?;
        let (input, mut inputs) = mpsc::channel(BACKLOG);
        let (send, output) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            while let Some(it) = inputs.recv().await {
                if to.send(host_input(it)).await.is_err() {
                    // It has ended; whoever gives input hears of that by its output.
                    return;
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let piece = tokio::select! {
                    piece = from.recv() => piece,
                    () = send.closed() => return,
                };
                let Some(piece) = piece else { return };
                if send.send(told(piece)).await.is_err() {
                    return;
                }
            }
        });
        Ok(ExecSession { input, output })
    }

    async fn exec_there(&self, request: ExecRequest) -> Result<ExecSession, ExecFault> {
        let mut client = self.client(request.node).map_err(ExecFault::Unavailable)?;
        let (sent, messages) = mpsc::channel(BACKLOG);
        // The channel is new, so there is room.
        let _ = sent.send(proto::ExecInput::start(&host_request(&request))).await;
        let name = self.cluster.local().node(request.node).map(|it| it.name.clone());
        let name = name.unwrap_or_else(|| request.node.to_string());
        let silent = |why: String| ExecFault::Unavailable(format!("Node {name} does not answer: {why}."));
        let opened = async {
            let mut answers = client.exec(ReceiverStream::new(messages)).await?.into_inner();
            let first = answers.message().await?;
            Ok::<_, Status>((answers, first.and_then(|it| it.what)))
        };
        let (answers, first) = match timeout(START, opened).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(status)) if status.code() == Code::Unimplemented => {
                return Err(silent("it runs a version that cannot do this yet".to_owned()));
            }
            Ok(Err(status)) => return Err(silent(status.message().to_owned())),
            Err(_) => return Err(silent(format!("nothing within {} s", START.as_secs()))),
        };
        match first {
            Some(What::Started(_)) => {}
            Some(What::Refused(refused)) => return Err(refused.into()),
            _ => return Err(silent("it answered something else than was asked".to_owned())),
        }
        let (input, mut inputs) = mpsc::channel(BACKLOG);
        let (send, output) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            while let Some(it) = inputs.recv().await {
                if sent.send(host_input(it).into()).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(receive(answers, send));
        Ok(ExecSession { input, output })
    }
}

/// Passes on what another host sends. When nobody listens any more, its stream is dropped, which tells that host.
async fn receive(mut answers: Streaming<proto::ExecOutput>, send: mpsc::Sender<ExecOutput>) {
    loop {
        let message = tokio::select! {
            message = answers.message() => message,
            () = send.closed() => return,
        };
        let piece = match message {
            Ok(Some(message)) => match message.what {
                Some(What::Stdout(bytes)) => ExecOutput::Stdout(bytes),
                Some(What::Stderr(bytes)) => ExecOutput::Stderr(bytes),
                Some(What::Ended(code)) => ExecOutput::Ended { code },
                Some(What::Started(_) | What::Refused(_)) | None => continue,
            },
            Ok(None) => ExecOutput::Lost {
                why: "its host has ended the connection".to_owned(),
            },
            Err(status) => ExecOutput::Lost {
                why: status.message().to_owned(),
            },
        };
        let is_last = matches!(piece, ExecOutput::Ended { .. } | ExecOutput::Lost { .. });
        if send.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

fn host_request(request: &ExecRequest) -> agent::ExecRequest {
    agent::ExecRequest {
        replica: Some(request.replica),
        command: request.command.clone(),
        terminal: request.terminal.map(host_size),
        stdin: request.stdin,
    }
}

fn host_size(size: TerminalSize) -> HostSize {
    HostSize {
        width: size.width,
        height: size.height,
    }
}

fn host_input(input: ExecInput) -> HostInput {
    match input {
        ExecInput::Stdin(bytes) => HostInput::Stdin(bytes),
        ExecInput::EndOfStdin => HostInput::EndOfStdin,
        ExecInput::Resize(size) => HostInput::Resize(host_size(size)),
    }
}

fn told(output: HostOutput) -> ExecOutput {
    match output {
        HostOutput::Stdout(bytes) => ExecOutput::Stdout(bytes),
        HostOutput::Stderr(bytes) => ExecOutput::Stderr(bytes),
        HostOutput::Ended { code } => ExecOutput::Ended { code },
    }
}

fn fault(error: ExecError) -> ExecFault {
    match error {
        ExecError::NotRunning(_) => ExecFault::NotRunning(error.text()),
        ExecError::NotStarted { code, message } => ExecFault::NotStarted { code, message },
        ExecError::Runtime(_) => ExecFault::Unavailable(error.text()),
    }
}

impl From<proto::ExecRefused> for ExecFault {
    fn from(it: proto::ExecRefused) -> Self {
        match it.why() {
            proto::ExecRefusal::NotRunning => Self::NotRunning(it.message),
            proto::ExecRefusal::NotStarted => Self::NotStarted {
                code: it.code,
                message: it.message,
            },
            proto::ExecRefusal::Failed => Self::Unavailable(it.message),
        }
    }
}
