//! The whole state in one checksummed file, as it is kept and as it is sent to a peer that lags too far behind.
//!
//! ```text
//! magic (8 bytes) | frame: header | frame: resources | ... | empty frame | SHA-256 of all that
//! frame = length (4 bytes, big-endian) | codec bytes
//! ```

pub(crate) mod format;
mod staged;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use model::{ClusterId, State};
use serde::{Deserialize, Serialize};

pub use self::format::checksum;
use self::staged::Turns;
pub use self::staged::{Checksum, Staged};
use crate::{Meta, StorageError, atomic_file};

const FINISHED: &str = "snapshot";

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// Whose state it is.
    pub cluster: ClusterId,
    /// Where the state stands.
    pub meta: Meta,
    /// How many resources follow.
    pub resources: u64,
}

/// A finished snapshot on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What it says of itself.
    pub header: SnapshotHeader,
    /// Where it lies.
    pub path: PathBuf,
}

/// The snapshots of one node: the newest one, and those that are being written.
#[derive(Debug)]
pub struct Snapshots {
    dir: PathBuf,
    cluster: ClusterId,
    newest: Mutex<Option<Snapshot>>,
    staged: AtomicU64,
    turns: Turns,
}

impl Snapshots {
    /// Opens the folder, made if need be. Unfinished files are removed, and so are all snapshots but the newest whole
    /// one of this cluster.
    pub fn open(dir: &Path, cluster: ClusterId) -> Result<Self, StorageError> {
        let io = |doing, source| StorageError::Io {
            doing,
            path: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(|it| io("create", it))?;
        let mut newest: Option<Snapshot> = None;
        for entry in std::fs::read_dir(dir).map_err(|it| io("read", it))? {
            let path = entry.map_err(|it| io("read", it))?.path();
            let found = path.extension().is_some_and(|it| it == FINISHED);
            let header = if found {
                format::check(&path, cluster)
            } else {
                continue;
            };
            match header {
                Ok(header)
                    if newest
                        .as_ref()
                        .is_none_or(|it| it.header.meta.revision < header.meta.revision) =>
                {
                    newest = Some(Snapshot { header, path });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), error = &error as &dyn std::error::Error,
                        "dropping a snapshot that cannot be used; another one will be taken");
                }
            }
        }
        let this = Self {
            dir: dir.to_owned(),
            cluster,
            newest: Mutex::new(newest),
            staged: AtomicU64::new(0),
            turns: Turns::default(),
        };
        this.clear()?;
        Ok(this)
    }

    /// The newest snapshot.
    #[must_use]
    pub fn newest(&self) -> Option<Snapshot> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a snapshot and makes it the newest.
    pub fn build(&self, state: &State, meta: &Meta) -> Result<Snapshot, StorageError> {
        let mut staged = self.stage()?;
        let path = staged.path().to_owned();
        let header = format::write(&mut staged, &path, self.cluster, state, meta)?;
        let built = self.finish(&staged, header)?;
        self.clear_idle_parts()?;
        Ok(built)
    }

    /// Checks a snapshot and reads it.
    pub fn read(&self, path: &Path) -> Result<(SnapshotHeader, State), StorageError> {
        format::read(path, self.cluster)
    }

    /// Checks a received snapshot, reads it and makes it the newest.
    pub fn adopt(&self, staged: Staged) -> Result<(Snapshot, State), StorageError> {
        match self.read(staged.path()) {
            Ok((header, state)) => Ok((self.finish(&staged, header)?, state)),
            Err(error) => {
                staged.discard();
                Err(error)
            }
        }
    }

    fn finish(&self, staged: &Staged, header: SnapshotHeader) -> Result<Snapshot, StorageError> {
        let io = |source| StorageError::Io {
            doing: "finish",
            path: staged.path().to_owned(),
            source,
        };
        staged.sync().map_err(io)?;
        let path = self.dir.join(format!("{:020}.{FINISHED}", header.meta.revision.0));
        std::fs::rename(staged.path(), &path).map_err(io)?;
        atomic_file::sync_dir(&self.dir).map_err(io)?;
        let snapshot = Snapshot { header, path };
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        self.clear()?;
        Ok(snapshot)
    }

    /// Removes all finished snapshots but the newest, and unfinished ones of an earlier run. A peer that still reads an
    /// old one keeps it open.
    fn clear(&self) -> Result<(), StorageError> {
        let io = |source| StorageError::Io {
            doing: "clear leftovers in",
            path: self.dir.clone(),
            source,
        };
        let newest = self.newest().map(|it| it.path);
        let first_run = self.staged.load(Ordering::Relaxed) == 0;
        for entry in std::fs::read_dir(&self.dir).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let finished = path.extension().is_some_and(|it| it == FINISHED);
            let unfinished = path.extension().is_some_and(|it| it == atomic_file::UNFINISHED);
            if (finished && Some(&path) != newest.as_ref()) || (unfinished && first_run) {
                std::fs::remove_file(&path).map_err(io)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
