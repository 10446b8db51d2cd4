//! Containers: made, started and removed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use containerd_client::services::v1::container::Runtime;
use containerd_client::services::v1::snapshots::{PrepareSnapshotRequest, RemoveSnapshotRequest};
use containerd_client::services::v1::{
    Container, CreateContainerRequest, CreateTaskRequest, DeleteContainerRequest, StartRequest, UpdateContainerRequest,
};
use containerd_client::types::Mount;
use oci_spec::runtime::Spec;
use prost::Message;
use prost_types::{Any, FieldMask};
use tonic::Code;

use super::ContainerdConfig;
use super::api::{Api, ApiError, LONG, SHORT, or_gone, within};
use super::files::Files;
use super::spec::{self, SecretPlaces, Surroundings};
use super::user::Ids;
use super::vault::Vaults;
use super::{label, user, volumes};
use crate::image::Unpacked;
use crate::reason;
use crate::runtime::{RunRequest, RuntimeError};

const SHIM: &str = "io.containerd.runc.v2";
const SPEC_TYPE: &str = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
const OPTIONS_TYPE: &str = "containerd.runc.v1.Options";

/// Settings of the runc shim, by the field numbers of containerd's `runc/options/oci.proto`.
#[derive(Clone, PartialEq, Message)]
struct RuncOptions {
    #[prost(string, tag = "6")]
    binary_name: String,
    #[prost(string, tag = "7")]
    root: String,
}

/// What this host has ready for a container.
#[derive(Debug)]
pub(super) struct Host<'a> {
    pub files: Files,
    /// For those that get secrets.
    pub launcher: Option<PathBuf>,
    /// What its output goes to, as the shim is told.
    pub log: String,
    pub vaults: &'a Vaults,
}

/// Makes a container with its own layer and starts its process. Leaves what it made when it fails.
pub(super) async fn create_and_start(
    api: &Api,
    config: &ContainerdConfig,
    request: &RunRequest,
    image: &Unpacked,
    host: &Host<'_>,
) -> Result<(), RuntimeError> {
    let id = request.replica.to_string();
    let place = host.vaults.place(request.replica);
    let surroundings = Surroundings {
        files: &host.files,
        secrets: host.launcher.as_deref().map(|launcher| SecretPlaces {
            files: &place,
            launcher,
        }),
        cgroup: Path::new(&config.cgroup_parent).join(&id),
        cgroup_v2: Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
    };
    volumes::require(request).await?;
    let mut spec = spec::build(request, &image.config, &surroundings)?;
    // The container comes first: it is what keeps its snapshot from being collected as garbage.
    create(api, config, request, image, &id, &spec).await?;
    let mounts = prepare(api, config, &id, &image.chain_id).await?;
    let mut ids = Ids::default();
    if let Some(name) = image
        .config
        .config
        .as_ref()
        .and_then(|it| it.user.as_deref())
        .filter(|name| !name.is_empty())
    {
        ids = user::look_up(name, &mounts).map_err(|message| RuntimeError::Start {
            code: reason::START_FAILED,
            message,
        })?;
        spec::set_user(&mut spec, ids);
        update(api, &id, &spec).await?;
    }
    if !request.secrets.is_empty() {
        host.vaults.fill(request.replica, ids, request.secrets.clone()).await?;
    }
    let task = CreateTaskRequest {
        container_id: id.clone(),
        rootfs: mounts,
        stdout: host.log.clone(),
        stderr: host.log.clone(),
        options: options(config),
        ..CreateTaskRequest::default()
    };
    within(LONG, api.tasks().create(api.request(task)))
        .await
        .map_err(|error| start_failed(api, request, error))?;
    let start = StartRequest {
        container_id: id,
        exec_id: String::new(),
    };
    within(LONG, api.tasks().start(api.request(start)))
        .await
        .map_err(|error| start_failed(api, request, error))?;
    Ok(())
}

async fn create(
    api: &Api,
    config: &ContainerdConfig,
    request: &RunRequest,
    image: &Unpacked,
    id: &str,
    spec: &Spec,
) -> Result<(), RuntimeError> {
    let container = Container {
        id: id.to_owned(),
        labels: label::write(config.node, request),
        image: image.name.clone(),
        runtime: Some(Runtime {
            name: SHIM.to_owned(),
            options: options(config),
        }),
        spec: Some(packed(spec)?),
        snapshotter: config.snapshotter.clone(),
        snapshot_key: id.to_owned(),
        ..Container::default()
    };
    let create = CreateContainerRequest {
        container: Some(container),
    };
    within(SHORT, api.containers().create(api.request(create)))
        .await
        .map(drop)
        .map_err(|error| api.refused("create a container", error))
}

async fn update(api: &Api, id: &str, spec: &Spec) -> Result<(), RuntimeError> {
    let container = Container {
        id: id.to_owned(),
        spec: Some(packed(spec)?),
        ..Container::default()
    };
    let mask = FieldMask {
        paths: vec!["spec".to_owned()],
    };
    let update = UpdateContainerRequest {
        container: Some(container),
        update_mask: Some(mask),
    };
    within(SHORT, api.containers().update(api.request(update)))
        .await
        .map(drop)
        .map_err(|error| api.refused("set a container's user", error))
}

fn packed(spec: &Spec) -> Result<Any, RuntimeError> {
    let value = serde_json::to_vec(spec).map_err(|source| RuntimeError::Refused {
        doing: "take a container's description",
        source: source.into(),
    })?;
    Ok(Any {
        type_url: SPEC_TYPE.to_owned(),
        value,
    })
}

fn options(config: &ContainerdConfig) -> Option<Any> {
    let options = RuncOptions {
        binary_name: config.runtime_binary.clone().unwrap_or_default(),
        root: config
            .runc_root
            .as_ref()
            .map(|root| root.display().to_string())
            .unwrap_or_default(),
    };
    let plain = options == RuncOptions::default();
    (!plain).then(|| Any {
        type_url: OPTIONS_TYPE.to_owned(),
        value: options.encode_to_vec(),
    })
}

/// The container's own layer on top of its image.
async fn prepare(api: &Api, config: &ContainerdConfig, id: &str, parent: &str) -> Result<Vec<Mount>, RuntimeError> {
    let request = || {
        api.request(PrepareSnapshotRequest {
            snapshotter: config.snapshotter.clone(),
            key: id.to_owned(),
            parent: parent.to_owned(),
            labels: HashMap::new(),
        })
    };
    let mut answer = within(SHORT, api.snapshots().prepare(request())).await;
    if answer.as_ref().is_err_and(|error| error.is(Code::AlreadyExists)) {
        remove_snapshot(api, &config.snapshotter, id).await?;
        answer = within(SHORT, api.snapshots().prepare(request())).await;
    }
    match answer {
        Ok(prepared) => Ok(prepared.mounts),
        Err(error) if error.is_disk_full() => Err(RuntimeError::DiskFull {
            path: config.logs.folder().to_owned(),
        }),
        Err(error) => Err(api.refused("prepare a container's own layer", error)),
    }
}

/// The snapshot goes first, else garbage collection may take it at the same time.
pub(super) async fn remove(api: &Api, snapshotter: &str, id: &str) -> Result<(), RuntimeError> {
    remove_snapshot(api, snapshotter, id).await?;
    let delete = DeleteContainerRequest { id: id.to_owned() };
    or_gone(within(SHORT, api.containers().delete(api.request(delete))).await)
        .map(drop)
        .map_err(|error| api.refused("delete a container", error))
}

async fn remove_snapshot(api: &Api, snapshotter: &str, id: &str) -> Result<(), RuntimeError> {
    let request = RemoveSnapshotRequest {
        snapshotter: snapshotter.to_owned(),
        key: id.to_owned(),
    };
    or_gone(within(SHORT, api.snapshots().remove(api.request(request))).await)
        .map(drop)
        .map_err(|error| api.refused("remove a container's own layer", error))
}

/// What the OCI runtime says when a container does not start, in words that help.
fn start_failed(api: &Api, request: &RunRequest, error: ApiError) -> RuntimeError {
    let text = match &error {
        ApiError::Status(text, _) if !error.is_unavailable() => text.clone(),
        ApiError::Status(..) | ApiError::Deadline(_) => return api.refused("start a container", error),
    };
    let image = &request.spec.image;
    if error.is_disk_full() {
        return RuntimeError::DiskFull {
            path: "the container's root file system".into(),
        };
    }
    let (code, remedy) = remedy(&text);
    RuntimeError::Start {
        code,
        message: format!("`{image}` cannot be started: {remedy}: {}", innermost(&text)),
    }
}

/// The kind of fault behind what an OCI runtime says, and what to do about it. runc and crun differ in capitals and
/// quotes.
fn remedy(text: &str) -> (&'static str, &'static str) {
    let text = text.to_lowercase();
    if text.contains("executable file not found")
        || text.contains("not found in $path")
        || text.contains("no such file or directory")
    {
        (reason::COMMAND_NOT_FOUND, reason::NOT_IN_IMAGE)
    } else if text.contains("exec format error") {
        (reason::EXEC_FORMAT_ERROR, reason::NOT_A_PROGRAM)
    } else if text.contains("permission denied") || text.contains("is a directory") {
        (reason::PERMISSION_DENIED, reason::NOT_EXECUTABLE)
    } else {
        (reason::START_FAILED, "the OCI runtime refused it")
    }
}

/// The part of runc's chain of errors that is about the container.
pub(super) fn innermost(text: &str) -> &str {
    let start = [
        "exec: ",
        "error during container init: ",
        "error mounting ",
        "unable to start container process: ",
    ]
    .iter()
    .find_map(|mark| text.find(mark));
    text[start.unwrap_or(0)..].trim_end_matches(": unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runc_says_is_cut_to_what_matters() {
        let said = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
                    process: exec: \"/nope\": stat /nope: no such file or directory: unknown";
        assert_eq!(
            innermost(said),
            "exec: \"/nope\": stat /nope: no such file or directory"
        );
        assert_eq!(innermost("odd"), "odd");
    }

    #[test]
    fn what_both_runtimes_say_is_understood() {
        for (said, code) in [
            (
                "exec: \"/nope\": stat /nope: no such file or directory: unknown",
                reason::COMMAND_NOT_FOUND,
            ),
            (
                "exec: \"nope\": executable file not found in $PATH: unknown",
                reason::COMMAND_NOT_FOUND,
            ),
            (
                "executable file `/nope` not found in $PATH: No such file or directory",
                reason::COMMAND_NOT_FOUND,
            ),
            ("exec /app: exec format error", reason::EXEC_FORMAT_ERROR),
            (
                "exec container process `/app`: Exec format error",
                reason::EXEC_FORMAT_ERROR,
            ),
            ("exec: \"/app\": permission denied: unknown", reason::PERMISSION_DENIED),
            ("open executable: Permission denied", reason::PERMISSION_DENIED),
            ("something else", reason::START_FAILED),
        ] {
            assert_eq!(remedy(said).0, code, "{said}");
        }
    }
}
