//! What a node remembers: the data folder, the raft log, the state and snapshots of it.
//!
//! ```text
//! <data folder>/
//!   identity.json   which node of which cluster this is, and in which format
//!   keyring         the cluster's keys, in the open or under a passphrase, mode 0600          Keyring
//!   node.pem        the node's own key and its certificate, mode 0600
//!   lock            held while a daemon runs here
//!   log/            the raft log, every write synced          LogStore
//!   state/          the replicated state, replayed from the log after a crash          StateStore
//!   reserve         room on the disk kept aside                                          Room
//!   snapshots/      checksummed copies of the whole state          Snapshots
//! ```
//!
//! Nothing here knows openraft: log entries, votes and the consensus part of the state's metadata are opaque bytes.

mod atomic_file;
mod backup;
mod codec;
mod data_dir;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod harden;
mod keyring;
mod log_store;
mod open;
mod restore;
mod room;
mod seal;
mod snapshot;
mod state_store;

pub use backup::{Backup, BackupError, BackupHeader, write_backup};
pub use codec::{CodecError, decode, encode};
pub use data_dir::{CredentialsFile, DataDir, Folder, Identity, VacantDir};
pub use error::{DataDirError, StorageError};
pub use harden::{HardenError, harden};
pub use keyring::{Import, KeyBundle, KeyDocument, Keyring, KeyringError, KeyringStatus};
pub use log_store::{Flushed, LogBounds, LogStore};
pub use open::{OpenError, Stores};
pub use restore::Begin;
pub use room::{DiskFull, Room};
pub use seal::{SealError, seal_context, secret_context};
pub use snapshot::{Checksum, Snapshot, SnapshotHeader, Snapshots, Staged, checksum as snapshot_checksum};
pub use state_store::{Meta, StateStore};
