//! Commands that a daemon has left behind which was killed: nobody reads what they print or gives them input any more.

use containerd_client::services::v1::{DeleteProcessRequest, KillRequest, ListPidsRequest, WaitRequest};
use nix::sys::signal::Signal;
use prost::Message;

use super::{DEATH, PREFIX};
use crate::containerd::api::{Api, ApiError, LONG, SHORT, within};

/// What containerd says of a process, by the field numbers of its `runc/options/oci.proto`.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(string, tag = "1")]
    exec_id: String,
}

/// Ends those of one container.
pub(in crate::containerd) async fn end(api: &Api, container: &str) -> Result<(), ApiError> {
    let list = ListPidsRequest {
        container_id: container.to_owned(),
    };
    let processes = within(SHORT, api.tasks().list_pids(api.request(list))).await?.processes;
    let details = processes.into_iter().filter_map(|it| it.info);
    let ids = details.filter_map(|it| Some(Details::decode(it.value.as_slice()).ok()?.exec_id));
    for id in ids.filter(|it| it.starts_with(PREFIX)) {
        tracing::info!(container, id, "ending a command that was left behind");
        let kill = KillRequest {
            container_id: container.to_owned(),
            exec_id: id.clone(),
            signal: Signal::SIGKILL as u32,
            all: false,
        };
        within(SHORT, api.tasks().kill(api.request(kill))).await?;
        let wait = WaitRequest {
            container_id: container.to_owned(),
            exec_id: id.clone(),
        };
        within(DEATH, api.tasks().wait(api.request(wait))).await?;
        let delete = DeleteProcessRequest {
            container_id: container.to_owned(),
            exec_id: id,
        };
        within(LONG, api.tasks().delete_process(api.request(delete))).await?;
    }
    Ok(())
}
