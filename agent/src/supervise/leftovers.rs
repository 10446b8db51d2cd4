//! What runs on from a data folder that was emptied: a containerd whose files are gone, and containers that no containerd
//! knows any more. Both are ended before a new one is started there, else they would run for ever and be nobody's.
//!
//! They are recognised by what they were started with, which lies in no file: containerd by its configuration, the shims
//! of its containers by its socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::Command;

use super::Places;
use super::processes::{children, end_by, started_with};

/// Between SIGTERM and SIGKILL: as long as containers have that say nothing of it.
const GRACE: Duration = Duration::from_secs(10);
/// For a process to be gone after SIGKILL.
const DEATH: Duration = Duration::from_secs(5);

/// Ends all of it, if the folder is a new one. Harmless where nothing is left.
pub(super) async fn end(places: &Places) {
    if places.root.join("io.containerd.metadata.v1.bolt/meta.db").exists() {
        return;
    }
    let containerds = started_with(&[b"--config", places.config.as_os_str().as_encoded_bytes()]);
    let shims = started_with(&[b"-address", places.socket.as_os_str().as_encoded_bytes()]);
    if containerds.is_empty() && shims.is_empty() {
        return;
    }
    tracing::warn!(
        containers = shims.len(),
        "the data folder was emptied while containers of it ran: they are ended"
    );
    // First of all, so that it does not mend what is done here.
    end_by(Signal::SIGKILL, &containerds, DEATH).await;
    let processes: Vec<_> = shims.iter().flat_map(|shim| children(*shim)).collect();
    if !end_by(Signal::SIGTERM, &processes, GRACE).await {
        end_by(Signal::SIGKILL, &processes, DEATH).await;
    }
    end_by(Signal::SIGKILL, &shims, DEATH).await;
    forget(&places.runc()).await;
}

/// Has runc drop what it keeps of these containers, their cgroups with it.
async fn forget(root: &Path) {
    for namespace in folders(root) {
        for container in folders(&namespace) {
            let Some(id) = container.file_name() else { continue };
            let mut runc = Command::new("runc");
            runc.arg("--root").arg(&namespace).args(["delete", "--force"]).arg(id);
            match runc.output().await {
                Ok(it) if it.status.success() => {}
                other => tracing::debug!(?other, "runc could not forget a container that is gone"),
            }
        }
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten();
    let is_folder = |it: &io::Result<std::fs::DirEntry>| it.as_ref().is_ok_and(|it| it.path().is_dir());
    entries
        .filter(is_folder)
        .filter_map(|it| Some(it.ok()?.path()))
        .collect()
}
