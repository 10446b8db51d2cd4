//! The whole state in one checksummed file, as it is kept and as it is sent to a peer that lags too far behind.
//!
//! ```text
//! magic (8 bytes) | frame: header | frame: resources | ... | empty frame | SHA-256 of all that
//! frame = length (4 bytes, big-endian) | codec bytes
//! ```

pub(crate) mod format;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use model::{ClusterId, State};
use serde::{Deserialize, Serialize};

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
}

/// A snapshot that is being received. Removed when dropped, unless it was installed.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    file: File,
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
                format::read(&path, cluster).map(|(header, _)| header)
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
        let path = staged.path.clone();
        let header = format::write(&mut staged, &path, self.cluster, state, meta)?;
        self.finish(staged, header)
    }

    /// Begins to receive a snapshot.
    pub fn stage(&self) -> Result<Staged, StorageError> {
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{number}.{}", atomic_file::UNFINISHED));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|source| StorageError::Io {
            doing: "create",
            path: path.clone(),
            source,
        })?;
        Ok(Staged { path, file })
    }

    /// Checks a snapshot and reads it.
    pub fn read(&self, path: &Path) -> Result<(SnapshotHeader, State), StorageError> {
        format::read(path, self.cluster)
    }

    /// Checks a received snapshot, reads it and makes it the newest.
    pub fn adopt(&self, staged: Staged) -> Result<(Snapshot, State), StorageError> {
        let (header, state) = self.read(&staged.path)?;
        Ok((self.finish(staged, header)?, state))
    }

    fn finish(&self, staged: Staged, header: SnapshotHeader) -> Result<Snapshot, StorageError> {
        let io = |source| StorageError::Io {
            doing: "finish",
            path: staged.path.clone(),
            source,
        };
        staged.file.sync_all().map_err(io)?;
        let path = self.dir.join(format!("{:020}.{FINISHED}", header.meta.revision.0));
        std::fs::rename(&staged.path, &path).map_err(io)?;
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

impl Staged {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let path = &self.path;
        self.file.write_all(bytes).map_err(|source| StorageError::Io {
            doing: "write",
            path: path.clone(),
            source,
        })
    }

    /// Where it lies until it is finished.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After it was finished there is nothing under this name any more, which is no error.
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "cannot remove an unfinished snapshot");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
