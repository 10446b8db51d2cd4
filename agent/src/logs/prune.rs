//! Logs of replicas that are gone are kept for a while, for whoever asks why a deployment failed, and not for ever.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use model::ReplicaId;

/// How long.
const KEPT: Duration = Duration::from_secs(3 * 24 * 3600);
/// And how much in all: what has been gone for longest goes first.
const KEPT_BYTES: u64 = 1 << 30;
/// A folder this young may be that of a container which is just being made.
const YOUNG: Duration = Duration::from_secs(600);
/// How often that is looked at.
const EVERY: Duration = Duration::from_secs(300);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pruner(Mutex<Option<Instant>>);

/// The log of a replica that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    path: PathBuf,
    bytes: u64,
    /// Since it was last written.
    age: Duration,
}

impl Pruner {
    pub(super) async fn run(&self, folder: &Path, present: &BTreeSet<ReplicaId>) {
        {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < EVERY) {
                return;
            }
            *last = Some(Instant::now());
        }
        let (folder, present) = (folder.to_owned(), present.clone());
        let task = tokio::task::spawn_blocking(move || {
            for path in surplus(left(&folder, &present)) {
                if let Err(error) = std::fs::remove_dir_all(&path) {
                    tracing::warn!(path = %path.display(), %error, "an old log cannot be removed");
                }
            }
        });
        // Ends early only with the daemon.
        let _ = task.await;
    }
}

/// Which of them are to go.
fn surplus(mut left: Vec<Left>) -> Vec<PathBuf> {
    left.sort_by(|a, b| a.age.cmp(&b.age).then_with(|| a.path.cmp(&b.path)));
    let mut kept = 0;
    let goes = |it: &Left| {
        kept += it.bytes;
        it.age > YOUNG && (it.age > KEPT || kept > KEPT_BYTES)
    };
    left.retain(goes);
    left.into_iter().map(|it| it.path).collect()
}

fn left(folder: &Path, present: &BTreeSet<ReplicaId>) -> Vec<Left> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().filter_map(|entry| {
        let replica = entry.file_name().to_str()?.parse().ok().map(ReplicaId)?;
        (!present.contains(&replica)).then(|| entry.path())
    });
    paths.filter_map(|path| measure(&path)).collect()
}

fn measure(path: &Path) -> Option<Left> {
    let now = SystemTime::now();
    let (mut bytes, mut written) = (0, path.metadata().ok()?.modified().ok()?);
    for entry in std::fs::read_dir(path).ok()?.flatten() {
        let Ok(file) = entry.metadata() else { continue };
        bytes += file.len();
        written = written.max(file.modified().unwrap_or(written));
    }
    Some(Left {
        path: path.to_owned(),
        bytes,
        age: now.duration_since(written).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_goes_and_what_is_too_much_the_oldest_first() {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        let left = |name: &str, mib: u64, age| Left {
            path: name.into(),
            bytes: mib << 20,
            age,
        };
        let all = vec![
            left("ancient", 1, hours(73)),
            left("older", 300, hours(3)),
            left("old", 600, hours(2)),
            left("just now", 900, Duration::from_secs(5)),
        ];
        assert_eq!(surplus(all), ["old", "older", "ancient"].map(PathBuf::from));
        assert!(surplus(vec![left("one", 900, hours(2)), left("new", 5000, hours(0))]) == [PathBuf::from("one")]);
        assert!(surplus(vec![left("one", 900, hours(2)), left("two", 100, hours(1))]).is_empty());
    }
}
