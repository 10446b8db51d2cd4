//! Where a node keeps its log and its state.

use std::ops::Range;
use std::sync::Arc;

use model::{Key, State};
use storage::{DataDir, Flushed, LogBounds, LogStore, Meta, OpenError, Snapshots, StateStore, StorageError};

/// Opens the stores of a node.
pub trait Disks: Send + Sync + 'static {
    /// Opens the stores in this folder; makes them the first time.
    fn open(&self, dir: &mut DataDir) -> Result<Opened, OpenError>;
}

/// The stores of one node.
pub struct Opened {
    /// The raft log.
    pub log: Arc<dyn LogDisk>,
    /// The replicated state.
    pub state: Arc<dyn StateDisk>,
    /// Copies of it.
    pub snapshots: Snapshots,
}

/// The raft log, as [`LogStore`] says.
pub trait LogDisk: Send + Sync + 'static {
    /// See [`LogStore::bounds`].
    fn bounds(&self) -> Result<LogBounds, StorageError>;
    /// See [`LogStore::append`].
    fn append(&self, entries: Vec<(u64, Arc<[u8]>)>, flushed: Flushed);
    /// See [`LogStore::truncate_from`].
    fn truncate_from(&self, index: u64);
    /// See [`LogStore::purge`].
    fn purge(&self, index: u64, record: Arc<[u8]>);
    /// See [`LogStore::read`].
    fn read(&self, range: Range<u64>) -> Result<Vec<Arc<[u8]>>, StorageError>;
    /// See [`LogStore::save_vote`].
    fn save_vote(&self, vote: Arc<[u8]>, flushed: Flushed);
    /// See [`LogStore::vote`].
    fn vote(&self) -> Option<Arc<[u8]>>;
    /// See [`LogStore::save_committed`].
    fn save_committed(&self, committed: Option<Arc<[u8]>>);
    /// See [`LogStore::committed`].
    fn committed(&self) -> Option<Arc<[u8]>>;
}

impl LogDisk for LogStore {
    fn bounds(&self) -> Result<LogBounds, StorageError> {
        Self::bounds(self)
    }

    fn append(&self, entries: Vec<(u64, Arc<[u8]>)>, flushed: Flushed) {
        Self::append(self, entries, flushed);
    }

    fn truncate_from(&self, index: u64) {
        Self::truncate_from(self, index);
    }

    fn purge(&self, index: u64, record: Arc<[u8]>) {
        Self::purge(self, index, record);
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<Arc<[u8]>>, StorageError> {
        Self::read(self, range)
    }

    fn save_vote(&self, vote: Arc<[u8]>, flushed: Flushed) {
        Self::save_vote(self, vote, flushed);
    }

    fn vote(&self) -> Option<Arc<[u8]>> {
        Self::vote(self)
    }

    fn save_committed(&self, committed: Option<Arc<[u8]>>) {
        Self::save_committed(self, committed);
    }

    fn committed(&self) -> Option<Arc<[u8]>> {
        Self::committed(self)
    }
}

/// The replicated state, as [`StateStore`] says.
pub trait StateDisk: Send + Sync + 'static {
    /// See [`StateStore::load`].
    fn load(&self) -> Result<(State, Option<Meta>), StorageError>;
    /// See [`StateStore::write`].
    fn write(&self, keys: &[Key], state: &State, meta: &Meta) -> Result<(), StorageError>;
    /// See [`StateStore::flush`].
    fn flush(&self) -> Result<(), StorageError>;
    /// See [`StateStore::replace`].
    fn replace(&self, state: &State, meta: &Meta) -> Result<(), StorageError>;
}

impl StateDisk for StateStore {
    fn load(&self) -> Result<(State, Option<Meta>), StorageError> {
        Self::load(self)
    }

    fn write(&self, keys: &[Key], state: &State, meta: &Meta) -> Result<(), StorageError> {
        Self::write(self, keys, state, meta)
    }

    fn flush(&self) -> Result<(), StorageError> {
        Self::flush(self)
    }

    fn replace(&self, state: &State, meta: &Meta) -> Result<(), StorageError> {
        Self::replace(self, state, meta)
    }
}
