//! Tasks: the processes of containers.

use std::collections::HashMap;
use std::time::Duration;

use containerd_client::services::v1::{DeleteTaskRequest, GetRequest, KillRequest, ListTasksRequest, WaitRequest};
use containerd_client::types::v1::{Process, Status};
use tonic::Code;

use super::api::{Api, ApiError, LONG, SHORT, or_gone, within};
use crate::runtime::{RuntimeError, Signal, Task};

/// How long a process may take to be gone after SIGKILL. Longer only when it hangs in the kernel.
const DEATH: Duration = Duration::from_secs(20);

/// All tasks that containerd could ask, by container.
pub(super) async fn list(api: &Api) -> Result<HashMap<String, Task>, RuntimeError> {
    let request = ListTasksRequest { filter: String::new() };
    let answer = within(SHORT, api.tasks().list(api.request(request))).await;
    let tasks = answer.map_err(|error| api.refused("list tasks", error))?.tasks;
    // In a list the container's id stands in either field, by version.
    let id = |it: &Process| {
        if it.container_id.is_empty() {
            it.id.clone()
        } else {
            it.container_id.clone()
        }
    };
    Ok(tasks.iter().map(|it| (id(it), state(it))).collect())
}

/// The task of one container.
pub(super) async fn get(api: &Api, id: &str) -> Result<Task, RuntimeError> {
    let request = GetRequest {
        container_id: id.to_owned(),
        exec_id: String::new(),
    };
    let answer = or_gone(within(SHORT, api.tasks().get(api.request(request))).await);
    let answer = answer.map_err(|error| api.refused("look up a task", error))?;
    Ok(answer.and_then(|it| it.process).map_or(Task::None, |it| state(&it)))
}

fn state(process: &Process) -> Task {
    match process.status() {
        Status::Created => Task::None,
        Status::Stopped => Task::Exited {
            code: process.exit_status,
        },
        // Where even containerd does not know, the process has not been seen to end.
        Status::Running | Status::Paused | Status::Pausing | Status::Unknown => Task::Running,
    }
}

/// Sends a signal to the first process.
pub(super) async fn kill(api: &Api, id: &str, signal: Signal) -> Result<(), RuntimeError> {
    let signal = match signal {
        Signal::Terminate => nix::libc::SIGTERM,
        Signal::Kill => nix::libc::SIGKILL,
    };
    let request = KillRequest {
        container_id: id.to_owned(),
        exec_id: String::new(),
        signal: signal as u32,
        all: false,
    };
    gone_is_fine(within(SHORT, api.tasks().kill(api.request(request))).await)
        .map_err(|error| api.refused("send a signal", error))
}

fn gone_is_fine<T>(answer: Result<T, ApiError>) -> Result<(), ApiError> {
    match answer {
        Err(error) if error.is(Code::NotFound) || error.is(Code::FailedPrecondition) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Deletes the task if it has ended, which also waits until all that it printed lies in its log: the shim that copies
/// it there may be behind when it tells of the end.
///
/// Its exit code goes to `keep` before containerd forgets it.
pub(super) async fn reap(api: &Api, id: &str, keep: impl FnOnce(u32)) -> Result<(), RuntimeError> {
    let Task::Exited { code } = get(api, id).await? else {
        return Ok(());
    };
    keep(code);
    let request = DeleteTaskRequest {
        container_id: id.to_owned(),
    };
    or_gone(within(LONG, api.tasks().delete(api.request(request))).await)
        .map(drop)
        .map_err(|error| api.refused("delete a task", error))
}

/// Kills the task if it lives, waits for its end and deletes it.
pub(super) async fn end(api: &Api, id: &str) -> Result<(), RuntimeError> {
    let delete = || {
        api.request(DeleteTaskRequest {
            container_id: id.to_owned(),
        })
    };
    match or_gone(within(LONG, api.tasks().delete(delete())).await) {
        Ok(_) => return Ok(()),
        Err(error) if error.is_unavailable() => return Err(api.refused("delete a task", error)),
        // It still lives.
        Err(_) => {}
    }
    kill(api, id, Signal::Kill).await?;
    let wait = WaitRequest {
        container_id: id.to_owned(),
        exec_id: String::new(),
    };
    or_gone(within(DEATH, api.tasks().wait(api.request(wait))).await)
        .map_err(|error| api.refused("see a killed task end", error))?;
    or_gone(within(LONG, api.tasks().delete(delete())).await)
        .map(drop)
        .map_err(|error| api.refused("delete a task", error))
}
