//! Laying down the folder of a node that begins with a state instead of from nothing.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use model::State;

use crate::open::{OpenError, Stores};
use crate::{DataDir, Meta, StorageError};

/// A disk that takes longer than this for one write does not work.
const FLUSH_LIMIT: Duration = Duration::from_secs(60);

/// What a restored node begins with, as consensus keeps it.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Where the state stands; its revision is the last entry that the log no longer has.
    pub meta: Meta,
    /// That entry's id.
    pub log_id: Vec<u8>,
    /// The vote.
    pub vote: Vec<u8>,
}

impl DataDir {
    /// Makes the stores of a folder that was just claimed: the state, a snapshot of it for those who join, and a log
    /// that goes on after it. All is on the disk when this returns.
    pub fn lay_down(mut self, state: &State, begin: &Begin) -> Result<(), OpenError> {
        let Stores {
            log,
            state: store,
            snapshots,
        } = self.open_stores()?;
        store.replace(state, &begin.meta)?;
        snapshots.build(state, &begin.meta)?;
        let (sender, receiver) = channel();
        log.purge(begin.meta.revision.0, begin.log_id.as_slice().into());
        log.save_vote(
            begin.vote.as_slice().into(),
            Box::new(move |result| drop(sender.send(result))),
        );
        let gone = || StorageError::Poisoned {
            path: self.path().to_owned(),
        };
        receiver.recv_timeout(FLUSH_LIMIT).map_err(|_| gone())??;
        drop((log, store, snapshots));
        sync_tree(self.path()).map_err(|source| StorageError::Io {
            doing: "sync",
            path: self.path().to_owned(),
            source,
        })?;
        Ok(())
    }
}

/// Makes names and contents below a folder last, whatever each store did for itself.
fn sync_tree(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            std::fs::File::open(entry.path())?.sync_all()?;
        }
    }
    std::fs::File::open(folder)?.sync_all()
}
