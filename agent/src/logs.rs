//! What containers print: where it is kept, how much of it, and how it is read.
//!
//! ```text
//! LOGS/REPLICA/about.json          whose replica it is, so that it is known after the cluster has forgotten it
//! LOGS/REPLICA/START.SEGMENT.log   written by agent/logger, a line: time, stream, F or P, text
//! LOGS/REPLICA/START.log           by daemons of before: what was printed, as it was
//! ```
//!
//! A file is never renamed and is complete once the next one is there, so that a reader that is behind loses nothing but
//! what was removed before it came there, and knows how much that was.

mod about;
mod alarm;
mod line;
mod prune;
mod read;
mod segment;
mod source;
mod tail;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{ReplicaId, ServiceId};
use tokio::sync::mpsc;

pub use self::line::{LogLine, LogStream};
use self::prune::Pruner;
pub use self::read::{LogPiece, LogQuery};
use self::segment::Segment;
pub use self::source::Position;
pub use self::tail::LogTail;

/// Starts of which something is kept.
const KEPT_STARTS: u32 = 3;
/// How much of the end of a log is looked at for last words.
const LAST_BYTES: u64 = 8 * 1024;

/// How much is kept of what one replica prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes of a file, after which the next begins.
    pub segment: u64,
    /// Files, over all starts.
    pub keep: usize,
}

impl LogLimits {
    /// Limits that keep about so many bytes of each replica.
    #[must_use]
    pub fn of_bytes(bytes: u64) -> Self {
        let keep = 5;
        Self {
            segment: (bytes / keep).max(1),
            keep: keep as usize,
        }
    }
}

impl Default for LogLimits {
    fn default() -> Self {
        Self::of_bytes(50 << 20)
    }
}

/// The logs of this host. Clones are of the same ones.
#[derive(Clone, Debug)]
pub struct Logs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    limits: LogLimits,
    pruner: Pruner,
}

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub service: ServiceId,
    /// The version of its deployment.
    pub version: u32,
}

impl Logs {
    /// Logs in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, limits: LogLimits) -> Self {
        Self(Arc::new(Inner {
            folder,
            limits,
            pruner: Pruner::default(),
        }))
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Streams what replicas of a service have printed here. It ends by itself unless it follows, and when the receiver is
    /// dropped.
    ///
    /// # Errors
    /// When no thread can be had for it.
    pub fn read(&self, query: LogQuery) -> io::Result<mpsc::Receiver<Vec<LogPiece>>> {
        read::start(self.0.folder.clone(), self.0.limits.segment, query)
    }

    /// Makes the log for the next start of a replica, drops the oldest ones, and says what the shim is to write it with.
    pub(crate) async fn prepare(
        &self,
        logger: &Path,
        replica: ReplicaId,
        owner: Owner,
        start: u32,
    ) -> io::Result<String> {
        let folder = self.0.folder.join(replica.to_string());
        tokio::fs::create_dir_all(&folder).await?;
        about::write(&folder, owner).await?;
        let kept = start.saturating_sub(KEPT_STARTS - 1);
        for old in Segment::list(&folder).into_iter().filter(|it| it.start < kept) {
            match tokio::fs::remove_file(folder.join(old.file_name())).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // Made here, so that a full disk is told of as the reason why the container does not start.
        let first = Segment { start, number: 1 };
        let mut options = tokio::fs::OpenOptions::new();
        let path = folder.join(first.file_name());
        options.create(true).append(true).open(path).await?;
        let LogLimits { segment, keep } = self.0.limits;
        let (logger, folder) = (encoded(logger), encoded(&folder));
        Ok(format!(
            "binary://{logger}?folder={folder}&start={start}&segment={segment}&keep={keep}"
        ))
    }

    /// The last `count` lines of one start; empty where they cannot be read.
    pub(crate) async fn last_lines(&self, replica: ReplicaId, start: u32, count: usize) -> Vec<String> {
        let folder = self.0.folder.join(replica.to_string());
        let task = tokio::task::spawn_blocking(move || last_lines(&folder, start, count));
        task.await.unwrap_or_default()
    }

    /// Drops logs of replicas that are gone, once they are old or too many. Looks now and then only.
    pub(crate) async fn prune(&self, present: &BTreeSet<ReplicaId>) {
        self.0.pruner.run(&self.0.folder, present).await;
    }
}

/// Where the log of one start of a replica begins.
#[must_use]
pub fn log_path(logs: &Path, replica: ReplicaId, restarts: u32) -> PathBuf {
    let first = Segment {
        start: restarts,
        number: 1,
    };
    logs.join(replica.to_string()).join(first.file_name())
}

/// A path as it can stand in a URL.
fn encoded(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

/// The last `count` lines of a file that was not written by the logger; empty where it cannot be read.
pub(crate) async fn end_of(path: &Path, count: usize) -> Vec<String> {
    let path = path.to_owned();
    let task = tokio::task::spawn_blocking(move || segment::tail(&path, LAST_BYTES).unwrap_or_default());
    let lines = printable(&String::from_utf8_lossy(&task.await.unwrap_or_default()));
    lines[lines.len().saturating_sub(count)..].to_vec()
}

fn last_lines(folder: &Path, start: u32, count: usize) -> Vec<String> {
    let segments = Segment::list(folder).into_iter().filter(|it| it.start == start);
    let mut lines = Vec::new();
    for segment in segments.rev() {
        let text = segment::tail(&folder.join(segment.file_name()), LAST_BYTES).unwrap_or_default();
        let printed = line::printed(&text);
        lines.splice(0..0, printable(&printed));
        if lines.len() >= count {
            break;
        }
    }
    lines[lines.len().saturating_sub(count)..].to_vec()
}

/// Without blank lines and control characters.
fn printable(text: &str) -> Vec<String> {
    let clean = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
    let lines = text.lines().map(clean);
    lines.filter(|line| !line.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests;
