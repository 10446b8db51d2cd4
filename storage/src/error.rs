//! What can go wrong on the disk.

use std::io;
use std::path::PathBuf;

use model::ClusterId;
use thiserror::Error;

use crate::{CodecError, KeyringError};

/// Why a data folder cannot be used. Each names the folder and the remedy.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// The operating system refused.
    #[error("cannot {doing} {path}: check that it exists, is on a healthy disk and belongs to this user")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another daemon runs on it.
    #[error("{0} is in use by another process: stop the other daemon, or give this one a folder of its own")]
    Locked(PathBuf),
    /// There is something in it that is not ours.
    #[error("{path} holds `{found}`, which is not part of a data folder: point to an empty folder or to the right one")]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What was found there.
        found: String,
    },
    /// A newer version wrote it.
    #[error(
        "{path} was written in format {found}, and this build reads up to {known}: run the newer version that wrote it"
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest this build knows.
        known: u32,
    },
    /// The keys are of another cluster.
    #[error(
        "{path} holds the keys of cluster {found}, and this folder belongs to cluster {expected}: put the right keyring \
         back, or else empty the folder and join again as a new node"
    )]
    ForeignKeyring {
        /// The file.
        path: PathBuf,
        /// Whose keys.
        found: ClusterId,
        /// Whose folder.
        expected: ClusterId,
    },
    /// The keys cannot be put there.
    #[error("cannot make the keyring in {path}")]
    Keyring {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: KeyringError,
    },
    /// A version before the first release wrote it.
    #[error(
        "{path} was written in format {found} by a version before the first release, and this build reads format {known} \
         only: empty the folder and start again"
    )]
    Older {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest this build knows.
        known: u32,
    },
    /// A part is missing. What is left must not be used: a node that forgot its votes breaks its cluster.
    #[error(
        "{path} has no `{missing}`, but other parts of a node: bring `{missing}` back if it was moved, or else empty the \
         folder and join again as a new node"
    )]
    Incomplete {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// A file does not say what it should.
    #[error(
        "{path} is damaged ({reason}): restore it from a copy, or else empty the folder and join again as a new node"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a store failed. None of these may be retried in the same process: what is on disk is no longer known.
#[derive(Debug, Error)]
pub enum StorageError {
    /// RocksDB failed.
    #[error("the store in {path} failed")]
    Database {
        /// Which store.
        path: PathBuf,
        /// Why.
        #[source]
        source: rocksdb::Error,
    },
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
    /// A value cannot be read or written.
    #[error("a value in {path} cannot be used")]
    Codec {
        /// Where it lies.
        path: PathBuf,
        /// Why.
        #[source]
        source: CodecError,
    },
    /// The contents contradict each other or what is known of them.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// What is damaged.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The store belongs to another node or cluster.
    #[error(
        "{path} belongs to {found}, not to {expected}: data folders were mixed up; put the right folder back, or empty it \
         and join again as a new node"
    )]
    WrongOwner {
        /// Which store or file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// An earlier write failed, so nothing more is written.
    #[error("an earlier write to {path} failed, so nothing more is written: restart the node")]
    Poisoned {
        /// Which store.
        path: PathBuf,
    },
}
