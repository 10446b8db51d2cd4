//! What a node remembers: the data folder, the raft log, the state and snapshots of it.
//!
//! ```text
//! <data folder>/
//!   identity.json   which node of which cluster this is, and in which format
//!   keyring         the cluster key, mode 0600
//!   lock            held while a daemon runs here
//!   log/            the raft log, every write synced          LogStore
//!   state/          the replicated state, replayed from the log after a crash          StateStore
//!   reserve         room on the disk kept aside                                          Room
//!   snapshots/      checksummed copies of the whole state          Snapshots
//! ```
//!
//! Nothing here knows openraft: log entries, votes and the consensus part of the state's metadata are opaque bytes.

mod atomic_file;
mod codec;
mod data_dir;
mod error;
mod keyring;
mod log_store;
mod open;
mod room;
mod snapshot;
mod state_store;

pub use codec::{CodecError, decode, encode};
pub use data_dir::{DataDir, Folder, Identity, VacantDir};
pub use error::{DataDirError, StorageError};
pub use log_store::{Flushed, LogBounds, LogStore};
pub use open::{OpenError, Stores};
pub use room::{DiskFull, Room};
pub use snapshot::{Snapshot, SnapshotHeader, Snapshots, Staged};
pub use state_store::{Meta, StateStore};
