//! Why a file is not a backup that can be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::StorageError;

/// Why a backup cannot be used. Each names the file and the remedy.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The operating system refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is some other file.
    #[error("{0} is not a backup of Goblins: it does not begin as one does; name a file that `goblins backup` wrote")]
    Foreign(PathBuf),
    /// The end is missing.
    #[error(
        "{0} is not whole: its end is missing or was altered; copy it again from where it was made, or take an older one"
    )]
    CutShort(PathBuf),
    /// The checksum does not match, or the contents contradict each other.
    #[error("{path} is damaged ({reason}): copy it again from where it was made, or take an older one")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version wrote it.
    #[error(
        "{path} was written in format {found}, and this build reads up to {known}: use the newer version that wrote it"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest this build knows.
        known: u32,
    },
    /// The state in it cannot be read, although the file is as it was written.
    #[error("the state in {path} cannot be read: use the version of Goblins that wrote it, which its header names")]
    State {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: StorageError,
    },
}
