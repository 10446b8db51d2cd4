//! Processes beside the first one of a container, from start to end: with the container's own environment, user and folder.

pub(super) mod orphans;
mod pipes;
mod spec;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use containerd_client::services::v1::{
    CloseIoRequest, DeleteProcessRequest, ExecProcessRequest, GetContainerRequest, KillRequest, ResizePtyRequest,
    StartRequest, WaitRequest,
};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Code;

use super::api::{Api, ApiError, LONG, SHORT, or_gone, within};
use crate::exec::{Exec, ExecError, ExecInput, ExecOutput, ExecRequest, TerminalSize};
use pipes::Pipes;

/// Names of our processes begin like this.
const PREFIX: &str = "goblins-";
/// Pieces on their way at most, in each direction, and how large they are.
const BACKLOG: usize = 8;
const PIECE: usize = 16 * 1024;
/// How long a process may take to be gone after SIGKILL.
const DEATH: Duration = Duration::from_secs(20);
/// A child that was left behind may hold the output open: what comes after such a silence is not waited for.
const SILENCE: Duration = Duration::from_millis(500);

/// Starts a process; pipes lie under `folder` while it runs.
pub(super) async fn start(api: &Api, folder: &Path, request: ExecRequest) -> Result<Exec, ExecError> {
    let replica = request.replica.unwrap_or(model::ReplicaId(uuid::Uuid::nil()));
    let container = replica.to_string();
    let get = GetContainerRequest { id: container.clone() };
    let found = or_gone(within(SHORT, api.containers().get(api.request(get))).await);
    let found = found.map_err(|error| api.refused("look up a container", error))?;
    let spec = found.and_then(|it| it.container).and_then(|it| it.spec);
    let spec = spec.ok_or(ExecError::NotRunning(replica))?;
    let process = spec::process(&spec.value, &request)?;
    let id = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
    let pipes = Pipes::make(folder.join(&id), &request).await?;
    let exec = ExecProcessRequest {
        container_id: container.clone(),
        stdin: pipes.stdin_path(),
        stdout: pipes.stdout_path(),
        stderr: pipes.stderr_path(),
        terminal: request.terminal.is_some(),
        spec: Some(process),
        exec_id: id.clone(),
    };
    let process = Process {
        api: api.clone(),
        container,
        id,
    };
    let not_there = |error: ApiError| {
        let has_ended = matches!(&error, ApiError::Status(text, _) if text.contains("cannot exec in a"));
        if has_ended || error.is(Code::NotFound) || error.is(Code::FailedPrecondition) {
            ExecError::NotRunning(replica)
        } else {
            not_started(api, error)
        }
    };
    within(SHORT, api.tasks().exec(api.request(exec)))
        .await
        .map_err(not_there)?;
    let start = StartRequest {
        container_id: process.container.clone(),
        exec_id: process.id.clone(),
    };
    let pid = match within(LONG, api.tasks().start(api.request(start))).await {
        Ok(started) => started.pid,
        Err(error) => {
            process.delete().await;
            return Err(not_there(error));
        }
    };
    let (input, inputs) = mpsc::channel(BACKLOG);
    let (send, output) = mpsc::channel(BACKLOG);
    tokio::spawn(process.run(pid, pipes, inputs, send));
    Ok(Exec { input, output })
}

/// What the OCI runtime says of a program that does not start, in words that help.
fn not_started(api: &Api, error: ApiError) -> ExecError {
    let text = match &error {
        ApiError::Status(text, _) if !error.is_unavailable() => text.clone(),
        ApiError::Status(..) | ApiError::Deadline(_) => return api.refused("run a command", error).into(),
    };
    let start = text.find("exec: ").or_else(|| text.find("exec failed: ")).unwrap_or(0);
    let said = text[start..].trim_end_matches(": unknown");
    let (code, remedy) = if said.contains("executable file not found") || said.contains("no such file or directory") {
        (127, "there is no such program in the container")
    } else if said.contains("permission denied") {
        (126, "it is not executable in the container")
    } else {
        (126, "the OCI runtime refused it")
    };
    ExecError::NotStarted {
        code,
        message: format!("the command cannot be run: {remedy}: {said}"),
    }
}

/// A process that containerd knows.
struct Process {
    api: Api,
    container: String,
    id: String,
}

impl Process {
    async fn run(self, pid: u32, pipes: Pipes, inputs: mpsc::Receiver<ExecInput>, send: mpsc::Sender<ExecOutput>) {
        let Pipes {
            stdin,
            stdout,
            stderr,
            folder: _folder,
        } = pipes;
        let moved = Arc::new(AtomicU64::new(0));
        let mut pumps = JoinSet::new();
        pumps.spawn(pump(stdout, send.clone(), ExecOutput::Stdout, Arc::clone(&moved)));
        if let Some(stderr) = stderr {
            pumps.spawn(pump(stderr, send.clone(), ExecOutput::Stderr, Arc::clone(&moved)));
        }
        let code = tokio::select! {
            code = self.wait() => code,
            () = self.feed(stdin, inputs) => None,
            () = send.closed() => None,
        };
        match code {
            Some(code) => {
                drain(&mut pumps, &moved).await;
                self.delete().await;
                // If nobody listens any more, nobody is to be told.
                let _ = send.send(ExecOutput::Ended { code }).await;
            }
            None => {
                self.kill(pid).await;
                self.delete().await;
            }
        }
    }

    /// The exit code; pending for ever if that cannot be had.
    async fn wait(&self) -> Option<u32> {
        let wait = || WaitRequest {
            container_id: self.container.clone(),
            exec_id: self.id.clone(),
        };
        loop {
            let answer = self.api.tasks().wait(self.api.request(wait())).await;
            match answer.map_err(ApiError::from) {
                Ok(ended) => return Some(ended.into_inner().exit_status),
                // Containers and their processes live on without containerd; it is asked again.
                Err(error) if error.is_unavailable() => tokio::time::sleep(SILENCE).await,
                // The container has gone, and this with it.
                Err(_) => return Some(128 + Signal::SIGKILL as u32),
            }
        }
    }

    /// Passes input on until there is nobody any more who could give some.
    async fn feed(&self, mut stdin: Option<pipe::Sender>, mut inputs: mpsc::Receiver<ExecInput>) {
        while let Some(input) = inputs.recv().await {
            match input {
                ExecInput::Stdin(bytes) => {
                    if let Some(pipe) = &mut stdin
                        && pipe.write_all(&bytes).await.is_err()
                    {
                        stdin = None;
                    }
                }
                ExecInput::EndOfStdin => {
                    stdin = None;
                    self.close_stdin().await;
                }
                ExecInput::Resize(size) => self.resize(size).await,
            }
        }
    }

    /// The shim holds the pipe open too.
    async fn close_stdin(&self) {
        let close = CloseIoRequest {
            container_id: self.container.clone(),
            exec_id: self.id.clone(),
            stdin: true,
        };
        self.noted(
            "close the input of a command",
            within(SHORT, self.api.tasks().close_io(self.api.request(close))).await,
        );
    }

    async fn resize(&self, size: TerminalSize) {
        let resize = ResizePtyRequest {
            container_id: self.container.clone(),
            exec_id: self.id.clone(),
            width: size.width.into(),
            height: size.height.into(),
        };
        self.noted(
            "resize a terminal",
            within(SHORT, self.api.tasks().resize_pty(self.api.request(resize))).await,
        );
    }

    /// Ends it, with the children that are in its process group, and waits for its end.
    async fn kill(&self, pid: u32) {
        let waiting = self.wait();
        if let Ok(pid) = i32::try_from(pid)
            && pid > 1
        {
            // It has not been waited for, so the number is still its own. Without children there may be no group.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let kill = KillRequest {
            container_id: self.container.clone(),
            exec_id: self.id.clone(),
            signal: Signal::SIGKILL as u32,
            all: false,
        };
        self.noted(
            "kill a command",
            within(SHORT, self.api.tasks().kill(self.api.request(kill))).await,
        );
        if tokio::time::timeout(DEATH, waiting).await.is_err() {
            tracing::warn!(container = %self.container, id = %self.id, "a command does not end after SIGKILL");
        }
    }

    async fn delete(&self) {
        let delete = DeleteProcessRequest {
            container_id: self.container.clone(),
            exec_id: self.id.clone(),
        };
        self.noted(
            "forget a command",
            within(LONG, self.api.tasks().delete_process(self.api.request(delete))).await,
        );
    }

    fn noted<T>(&self, doing: &str, answer: Result<T, ApiError>) {
        if let Err(error) = answer
            && !error.is(Code::NotFound)
        {
            tracing::debug!(container = %self.container, id = %self.id, %error, "containerd failed to {doing}");
        }
    }
}

/// Passes output on until it ends or nobody listens.
async fn pump(
    mut from: pipe::Receiver,
    to: mpsc::Sender<ExecOutput>,
    kind: impl Fn(bytes::Bytes) -> ExecOutput,
    moved: Arc<AtomicU64>,
) {
    let mut piece = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        moved.fetch_add(1, Ordering::Relaxed);
        if to
            .send(kind(bytes::Bytes::copy_from_slice(&piece[..count])))
            .await
            .is_err()
        {
            return;
        }
        moved.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for the rest of the output of a process that has ended, for as long as it comes or the client has yet to take it.
async fn drain(pumps: &mut JoinSet<()>, moved: &AtomicU64) {
    loop {
        let before = moved.load(Ordering::Relaxed);
        let ended = async { while pumps.join_next().await.is_some() {} };
        if tokio::time::timeout(SILENCE, ended).await.is_ok() {
            return;
        }
        // Odd: a piece waits for the client.
        let now = moved.load(Ordering::Relaxed);
        if now == before && now.is_multiple_of(2) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_shell_would_answer_is_told_of_a_program_that_does_not_start() {
        let api = Api::new(Path::new("/none"), "test").unwrap();
        let runc = "OCI runtime exec failed: exec failed: unable to start container process: ";
        for (said, expected, part) in [
            (
                "exec: \"nope\": executable file not found in $PATH: unknown",
                127,
                "no such program",
            ),
            (
                "exec: \"/nope\": stat /nope: no such file or directory: unknown",
                127,
                "no such program",
            ),
            ("exec: \"/etc\": permission denied: unknown", 126, "not executable"),
            ("something else", 126, "refused"),
        ] {
            let error = ApiError::Status(format!("{runc}{said}"), Code::Unknown);
            match not_started(&api, error) {
                ExecError::NotStarted { code, message } => {
                    assert_eq!(code, expected, "{message}");
                    assert!(message.contains(part) && !message.contains(": unknown"), "{message}");
                }
                other => panic!("{other}"),
            }
        }
    }

    #[tokio::test]
    async fn output_is_waited_for_while_it_comes_and_not_for_ever() {
        let moved = AtomicU64::new(0);
        let mut pumps = JoinSet::new();
        pumps.spawn(std::future::pending());
        tokio::time::pause();
        drain(&mut pumps, &moved).await;
        assert_eq!(pumps.len(), 1, "a pump that is silent is left");
        let mut pumps = JoinSet::new();
        pumps.spawn(tokio::time::sleep(SILENCE / 2));
        drain(&mut pumps, &moved).await;
        assert!(pumps.is_empty());
    }
}
