//! Opening everything in a data folder together.

use crate::{DataDir, DataDirError, Identity, LogStore, Snapshots, StateStore, StorageError};

/// The stores of one node.
pub struct Stores {
    /// The raft log.
    pub log: LogStore,
    /// The replicated state.
    pub state: StateStore,
    /// Copies of it.
    pub snapshots: Snapshots,
}

/// Why the stores cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A store in it.
    #[error(transparent)]
    Store(#[from] StorageError),
}

impl DataDir {
    /// Opens the stores; makes them the first time. Each is checked to be this node's.
    pub fn open_stores(&mut self) -> Result<Stores, OpenError> {
        let Identity { cluster, node } = self.identity();
        let owner = format!("node {node} of cluster {cluster}");
        let is_new = !self.is_complete();
        let stores = Stores {
            log: LogStore::open(&self.log_dir(), &owner, is_new)?,
            state: StateStore::open(&self.state_dir(), &owner, is_new)?,
            snapshots: Snapshots::open(&self.snapshot_dir(), cluster)?,
        };
        stores.check_no_gap(self)?;
        // The log is the first to know that the cluster was founded anew.
        let epoch = stores.log.epoch()?.max(self.epoch());
        if is_new || epoch != self.epoch() {
            self.set_complete(epoch)?;
        }
        Ok(stores)
    }
}

impl Stores {
    /// What the log no longer has must be in the state or in a snapshot; otherwise one of them was put back from an old
    /// copy.
    fn check_no_gap(&self, dir: &DataDir) -> Result<(), StorageError> {
        let Some((purged, _)) = self.log.bounds()?.purged else {
            return Ok(());
        };
        let state = self.state.revision()?.map(|it| it.0);
        let snapshot = self.snapshots.newest().map(|it| it.header.meta.revision.0);
        if state.max(snapshot) >= Some(purged) {
            return Ok(());
        }
        Err(StorageError::Damaged {
            path: dir.path().to_owned(),
            reason: format!(
                "the log begins after entry {purged}, but the state ends before; empty the folder and join again as a \
                 new node"
            ),
        })
    }
}
