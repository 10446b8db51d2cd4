//! Commands that are run in a container to see how it does.

use std::time::Duration;

use containerd_client::services::v1::{
    DeleteProcessRequest, ExecProcessRequest, GetContainerRequest, KillRequest, StartRequest, WaitRequest,
};
use oci_spec::runtime::{Process, Spec};
use prost_types::Any;
use tonic::Code;
use uuid::Uuid;

use super::api::{Api, ApiError, LONG, SHORT, or_gone, within};
use super::{container, program};
use crate::runtime::{CommandEnd, RuntimeError};

const PROCESS_TYPE: &str = "types.containerd.io/opencontainers/runtime-spec/1/Process";
/// How long a killed process may take to be gone.
const DEATH: Duration = Duration::from_secs(10);

/// Runs `command` in a running container, as its own program runs: same user, folder, variables and limits.
pub(super) async fn run(api: &Api, id: &str, command: &[String], limit: Duration) -> Result<CommandEnd, RuntimeError> {
    let exec_id = format!("check-{}", Uuid::new_v4().simple());
    let exec = Exec { api, id, exec_id };
    let refused = |error| api.refused("run a health check in a container", error);
    let Some(process) = exec.process(command).await? else {
        return Ok(CommandEnd::Gone);
    };
    match exec.begin(process).await {
        Ok(()) => {}
        Err(error) if error.is_unavailable() => return Err(refused(error)),
        Err(error) if is_gone(&error) => return Ok(CommandEnd::Gone),
        Err(ApiError::Status(text, _)) => {
            exec.delete().await.map_err(refused)?;
            return Ok(CommandEnd::NotRun(container::innermost(&text).to_owned()));
        }
        Err(error @ ApiError::Deadline(_)) => return Err(refused(error)),
    }
    let end = exec.end_within(limit).await;
    // Whatever came out: nothing of it may be left in the container.
    exec.delete().await.map_err(refused)?;
    match end {
        Err(error) if is_gone(&error) => Ok(CommandEnd::Gone),
        other => other.map_err(refused),
    }
}

fn is_gone(error: &ApiError) -> bool {
    error.is(Code::NotFound) || error.is(Code::FailedPrecondition)
}

struct Exec<'a> {
    api: &'a Api,
    id: &'a str,
    exec_id: String,
}

impl Exec<'_> {
    /// How the container's own program was described, with other arguments; `None` if there is no such container.
    async fn process(&self, command: &[String]) -> Result<Option<Process>, RuntimeError> {
        let get = GetContainerRequest { id: self.id.to_owned() };
        let answer = or_gone(within(SHORT, self.api.containers().get(self.api.request(get))).await);
        let answer = answer.map_err(|error| self.api.refused("look up a container", error))?;
        let Some(described) = answer.and_then(|it| it.container?.spec) else {
            return Ok(None);
        };
        let spec: Spec = serde_json::from_slice(&described.value).map_err(|source| RuntimeError::Refused {
            doing: "tell how a container was described",
            source: source.into(),
        })?;
        Ok(spec.process().clone().map(|mut process| {
            let own = process.args().clone().unwrap_or_default();
            process.set_args(Some(
                program::in_front_of(&own).chain(command.iter().cloned()).collect(),
            ));
            process.set_terminal(Some(false));
            process
        }))
    }

    async fn begin(&self, process: Process) -> Result<(), ApiError> {
        let value =
            serde_json::to_vec(&process).map_err(|error| ApiError::Status(error.to_string(), Code::Internal))?;
        let exec = ExecProcessRequest {
            container_id: self.id.to_owned(),
            exec_id: self.exec_id.clone(),
            spec: Some(Any {
                type_url: PROCESS_TYPE.to_owned(),
                value,
            }),
            ..ExecProcessRequest::default()
        };
        within(SHORT, self.api.tasks().exec(self.api.request(exec))).await?;
        let start = StartRequest {
            container_id: self.id.to_owned(),
            exec_id: self.exec_id.clone(),
        };
        within(LONG, self.api.tasks().start(self.api.request(start)))
            .await
            .map(drop)
    }

    async fn end_within(&self, limit: Duration) -> Result<CommandEnd, ApiError> {
        match within(limit, self.wait()).await {
            Ok(exit) => Ok(CommandEnd::Exited(exit.exit_status)),
            Err(ApiError::Deadline(_)) => {
                let kill = KillRequest {
                    container_id: self.id.to_owned(),
                    exec_id: self.exec_id.clone(),
                    signal: nix::libc::SIGKILL as u32,
                    all: false,
                };
                within(SHORT, self.api.tasks().kill(self.api.request(kill))).await?;
                within(DEATH, self.wait()).await?;
                Ok(CommandEnd::TimedOut)
            }
            Err(error) => Err(error),
        }
    }

    async fn wait(&self) -> Result<tonic::Response<containerd_client::services::v1::WaitResponse>, tonic::Status> {
        let wait = WaitRequest {
            container_id: self.id.to_owned(),
            exec_id: self.exec_id.clone(),
        };
        self.api.tasks().wait(self.api.request(wait)).await
    }

    async fn delete(&self) -> Result<(), ApiError> {
        let delete = DeleteProcessRequest {
            container_id: self.id.to_owned(),
            exec_id: self.exec_id.clone(),
        };
        match within(LONG, self.api.tasks().delete_process(self.api.request(delete))).await {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }
}
