//! Snapshots on their way in. One that its sender can name by its checksum is kept when the transfer breaks off, also over a
//! restart, and goes on where it stopped.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::{SnapshotHeader, Snapshots};
use crate::{StorageError, atomic_file};

/// Suffix of what has arrived of a snapshot, after its checksum.
const PART: &str = "part";

/// SHA-256 of a snapshot's content, with which its file ends.
pub type Checksum = [u8; 32];

/// A snapshot that is being received. Removed when dropped, unless it was installed or can be resumed.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    file: File,
    /// Of one that can be resumed.
    turn: Option<Turn>,
}

/// Transfers that can be resumed: only the last one that began may write.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last: Arc<AtomicU64>,
    alive: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Turn {
    number: u64,
    last: Arc<AtomicU64>,
    alive: Arc<AtomicUsize>,
}

impl Turns {
    fn next(&self) -> Turn {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Turn {
            number: self.last.fetch_add(1, Ordering::SeqCst) + 1,
            last: self.last.clone(),
            alive: self.alive.clone(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Snapshots {
    /// Begins to receive a snapshot that is begun again if the transfer breaks off.
    pub fn stage(&self) -> Result<Staged, StorageError> {
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{number}.{}", atomic_file::UNFINISHED));
        let file = open(&path, true)?;
        Ok(Staged { path, file, turn: None })
    }

    /// How many bytes have arrived of the snapshot with this checksum.
    #[must_use]
    pub fn have(&self, checksum: &Checksum) -> u64 {
        std::fs::metadata(self.part(checksum)).map_or(0, |it| it.len())
    }

    /// Goes on receiving it after so many bytes. Whatever else was on its way is given up.
    pub fn resume(&self, checksum: &Checksum, offset: u64) -> Result<Staged, StorageError> {
        let path = self.part(checksum);
        let turn = self.turns.next();
        self.clear_parts(Some(&path))?;
        let mut file = open(&path, false)?;
        let io = |source| StorageError::Io {
            doing: "go on with",
            path: path.clone(),
            source,
        };
        let there = file.metadata().map_err(io)?.len();
        if there < offset {
            return Err(StorageError::Damaged {
                path,
                reason: format!("{there} bytes of it are here, and it was to go on after {offset}"),
            });
        }
        file.set_len(offset).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok(Staged {
            path,
            file,
            turn: Some(turn),
        })
    }

    /// Checks a snapshot that has arrived; one that is not whole is removed, whatever can be resumed.
    pub fn verify(&self, staged: Staged) -> Result<(Staged, SnapshotHeader), StorageError> {
        match self.read(&staged.path) {
            Ok((header, _)) => Ok((staged, header)),
            Err(error) => {
                staged.discard();
                Err(error)
            }
        }
    }

    /// Removes what was on its way, if nothing is any more: the newest snapshot of this node has made it needless.
    pub(super) fn clear_idle_parts(&self) -> Result<(), StorageError> {
        match self.turns.alive.load(Ordering::SeqCst) {
            0 => self.clear_parts(None),
            _ => Ok(()),
        }
    }

    fn clear_parts(&self, but: Option<&Path>) -> Result<(), StorageError> {
        let io = |source| StorageError::Io {
            doing: "clear leftovers in",
            path: self.dir.clone(),
            source,
        };
        for entry in std::fs::read_dir(&self.dir).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|it| it == PART) && Some(&*path) != but {
                std::fs::remove_file(&path).map_err(io)?;
            }
        }
        Ok(())
    }

    fn part(&self, checksum: &Checksum) -> PathBuf {
        let name = checksum
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        self.dir.join(format!("{name}.{PART}"))
    }
}

impl Staged {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let error = |source| StorageError::Io {
            doing: "write",
            path: self.path.clone(),
            source,
        };
        let is_over = |it: &Turn| it.last.load(Ordering::SeqCst) != it.number;
        if self.turn.as_ref().is_some_and(is_over) {
            return Err(error(std::io::Error::other("another transfer has taken its place")));
        }
        self.file.write_all(bytes).map_err(error)
    }

    /// Where it lies until it is finished.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_all()
    }

    /// Removes it, although it could be resumed.
    pub(super) fn discard(mut self) {
        self.turn = None;
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
        if self.turn.is_some() {
            return;
        }
        // After it was finished there is nothing under this name any more, which is no error.
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "cannot remove an unfinished snapshot");
            }
            _ => {}
        }
    }
}

fn open(path: &Path, truncate: bool) -> Result<File, StorageError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(truncate)
        .mode(0o600)
        .open(path);
    file.map_err(|source| StorageError::Io {
        doing: "create",
        path: path.to_owned(),
        source,
    })
}
