//! Files and folders of the host that are mounted into a container.

use std::path::Path;

use oci_spec::OciSpecError;
use oci_spec::runtime::Mount;

use super::spec::bind;
use crate::reason;
use crate::runtime::{RunRequest, RuntimeError};

/// All of them have to be there: nobody is served by an empty folder in the place of data.
pub(super) async fn require(request: &RunRequest) -> Result<(), RuntimeError> {
    for volume in &request.settings.volumes {
        if let Err(error) = tokio::fs::metadata(&volume.source).await {
            return Err(RuntimeError::Start {
                code: reason::VOLUME_MISSING,
                message: format!(
                    "the volume `{}` for `{}` in the container cannot be had on node {}: {error}; make it there, or keep \
                     the service to nodes that have it with placement.constraints",
                    volume.source, volume.target, request.node_name
                ),
            });
        }
    }
    Ok(())
}

/// As the container's description names them.
pub(super) fn mounts(request: &RunRequest) -> impl Iterator<Item = Result<Mount, OciSpecError>> {
    request.settings.volumes.iter().map(|volume| {
        let mode = if volume.read_only { "ro" } else { "rw" };
        bind(&volume.target, Path::new(&volume.source), &["rbind", "rprivate", mode])
    })
}
