//! Room on the disk, and a reserve of it, so that a disk that somebody else fills up stops new writes, not the node.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;
use thiserror::Error;

use crate::data_dir::RESERVE;

/// Kept aside while there is room, given up when there is none: what the node needs to go on voting, following and
/// reporting until somebody has made room.
const KEPT: u64 = 32 << 20;
/// With less than this free, the disk counts as full.
const LOW: u64 = 8 << 20;
/// With less than this free, and the reserve gone, not even what others have decided is taken in.
const EXHAUSTED: u64 = 4 << 20;

/// The disk is full.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the disk of {path} is full ({free_mib} MiB free): make room there; writes are taken again as soon as {needed_mib} MiB \
     are free"
)]
pub struct DiskFull {
    /// The data folder.
    pub path: PathBuf,
    /// What is free.
    pub free_mib: u64,
    /// What has to be.
    pub needed_mib: u64,
}

/// Watches the disk of a data folder.
#[derive(Debug)]
pub struct Room {
    path: PathBuf,
    /// Whether the reserve is there.
    reserved: Mutex<bool>,
}

impl Room {
    /// Starts to watch; the reserve is made at the first check.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        let reserved = fs::metadata(data_dir.join(RESERVE)).is_ok_and(|it| it.len() >= KEPT);
        Self {
            path: data_dir.to_owned(),
            reserved: Mutex::new(reserved),
        }
    }

    /// What is free on the disk and how large it is, in bytes.
    #[must_use]
    pub fn space(&self) -> Option<(u64, u64)> {
        let stat = statvfs(&self.path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
        Some((bytes(stat.blocks_available()), bytes(stat.blocks())))
    }

    /// Whether there is room for more. Gives up the reserve when there is none, and makes it again when there is. To be
    /// called before each write that somebody asks for, and now and then: it costs one system call.
    ///
    /// # Errors
    /// When the disk is full, until there is room for the reserve again.
    pub fn check(&self) -> Result<(), DiskFull> {
        let free = free(&self.path).unwrap_or(u64::MAX);
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |needed: u64| DiskFull {
            path: self.path.clone(),
            free_mib: free >> 20,
            needed_mib: needed >> 20,
        };
        match (*reserved, free) {
            (true, LOW..) => Ok(()),
            (true, _) => {
                let error = full(KEPT + 2 * LOW);
                tracing::error!(%error, "the reserve is given up");
                if let Err(error) = fs::remove_file(self.path.join(RESERVE)) {
                    tracing::error!(%error, "the reserve cannot be given up");
                }
                *reserved = false;
                Err(error)
            }
            (false, _) if free < KEPT + 2 * LOW => Err(full(KEPT + 2 * LOW)),
            (false, _) => {
                if let Err(error) = reserve(&self.path.join(RESERVE)) {
                    tracing::warn!(%error, "no room can be kept aside in the data folder");
                }
                // Where a file system cannot do it, there is nothing to give up either.
                *reserved = true;
                Ok(())
            }
        }
    }

    /// Whether the disk is full; see [`Room::check`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.check().is_err()
    }

    /// Whether there is hardly any room left even without the reserve. Costs nothing while that is there.
    ///
    /// # Errors
    /// When nothing more should be written, not even what was decided elsewhere.
    pub fn check_exhausted(&self) -> Result<(), DiskFull> {
        if *self.reserved.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(());
        }
        match free(&self.path).unwrap_or(u64::MAX) {
            free @ ..EXHAUSTED => Err(DiskFull {
                path: self.path.clone(),
                free_mib: free >> 20,
                needed_mib: EXHAUSTED >> 20,
            }),
            _ => Ok(()),
        }
    }
}

fn free(path: &Path) -> nix::Result<u64> {
    let stat = statvfs(path)?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

fn reserve(path: &Path) -> io::Result<()> {
    let file: File = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, KEPT.cast_signed()).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let reserve = folder.path().join(RESERVE);
        Room::new(folder.path()).check().expect("there is room");
        assert_eq!(fs::metadata(&reserve).expect("made").len(), KEPT);
        let again = Room::new(folder.path());
        assert!(*again.reserved.lock().expect("alone"));
        again.check().expect("there is room");
    }
}
