//! What runs on from a data folder that was emptied: a containerd whose files are gone, and containers that no containerd
//! knows any more. Both are ended before a new one is started there, else they would run for ever and be nobody's.
//!
//! They are recognised by what they were started with, which lies in no file: containerd by its configuration, the shims
//! of its containers by its socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::{ASK_AGAIN, Places};

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

/// The processes with these words in their command line, one after the other.
fn started_with(words: &[&[u8]]) -> Vec<Pid> {
    let is_like = |pid: &Pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line: Vec<_> = line.split(|byte| *byte == 0).collect();
        line.windows(words.len()).any(|it| it == words)
    };
    let names = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = names.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    pids.filter(is_like).collect()
}

/// A shim is the parent of all that it looks after: the first processes of containers, and what writes their logs.
fn children(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let lists = tasks.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("children")).ok());
    let numbers = lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    numbers.filter_map(|it| it.parse().ok().map(Pid::from_raw)).collect()
}

/// Whether all of them were gone in time.
async fn end_by(signal: Signal, processes: &[Pid], limit: Duration) -> bool {
    for pid in processes {
        // One that has just ended is no error.
        let _ = kill(*pid, signal);
    }
    let end = Instant::now() + limit;
    while processes.iter().any(|it| lives(*it)) {
        if Instant::now() > end {
            return false;
        }
        sleep(ASK_AGAIN).await;
    }
    true
}

/// One that has ended and that its parent has not been told of does not count.
fn lives(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in front may have blanks and brackets in it.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|it| it != 'Z' && it != 'X')
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn processes_are_found_by_their_words_and_ended() {
        let word = format!("--of={}", uuid::Uuid::new_v4());
        let mut child = Command::new("sh")
            .args(["-c", "sleep 1000 & wait", "sh", "--config", &word])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let words: [&[u8]; 2] = [b"--config", word.as_bytes()];
        assert_eq!(started_with(&words), [pid]);
        assert!(started_with(&[b"--other", word.as_bytes()]).is_empty());
        let sleeps = loop {
            let sleeps = children(pid);
            if !sleeps.is_empty() {
                break sleeps;
            }
            tokio::task::yield_now().await;
        };
        assert!(!end_by(Signal::SIGCONT, &[pid], Duration::ZERO).await, "it lives");
        assert!(end_by(Signal::SIGTERM, &sleeps, DEATH).await);
        assert!(end_by(Signal::SIGKILL, &[pid], DEATH).await);
        child.wait().unwrap();
        assert!(started_with(&words).is_empty() && !lives(pid));
    }
}
