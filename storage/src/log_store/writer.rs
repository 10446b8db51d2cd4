//! The thread that writes: it takes all that is queued, writes it as one batch with one fsync, and tells everybody.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rocksdb::{WriteBatch, WriteOptions};

use super::{COMMITTED, ENTRIES, Flushed, PURGED, RECORDS, Shared, VOTE};
use crate::StorageError;

/// A batch takes no more operations once it is this large, so that the first one in it need not wait for long.
const BATCH_BYTES: usize = 8 << 20;

/// One step of the log.
pub(super) enum Op {
    /// Add entries.
    Append {
        entries: Vec<(u64, Arc<[u8]>)>,
        truncations: u64,
        flushed: Flushed,
    },
    /// Save the vote.
    Vote { vote: Arc<[u8]>, flushed: Flushed },
    /// Save how far the log is committed.
    Committed(Option<Arc<[u8]>>),
    /// Remove the entries from here on.
    Truncate { from: u64 },
    /// Remove the entries from `from` to `index`, both included.
    Purge { from: u64, index: u64, record: Arc<[u8]> },
}

impl Op {
    /// Tells whoever waits for it.
    pub(super) fn finish(self, result: Result<(), StorageError>) {
        match self {
            Self::Append { flushed, .. } | Self::Vote { flushed, .. } => flushed(result),
            Self::Committed(_) | Self::Truncate { .. } | Self::Purge { .. } => {}
        }
    }

    /// Whether it counts only once it is on disk. The commit mark may be lost: then more is replayed.
    fn needs_sync(&self) -> bool {
        !matches!(self, Self::Committed(_))
    }
}

/// Write options with an fsync.
pub(super) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    incoming: Receiver<Op>,
    poisoned: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, incoming: Receiver<Op>) -> Self {
        Self {
            shared,
            incoming,
            poisoned: false,
        }
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.incoming.recv() {
            let mut batch = WriteBatch::default();
            let mut ops = Vec::new();
            let mut next = Some(first);
            let mut prepared = Ok(());
            while let Some(op) = next.take() {
                prepared = prepared.and_then(|()| self.add(&mut batch, &op));
                ops.push(op);
                if batch.size_in_bytes() < BATCH_BYTES {
                    next = self.incoming.try_recv().ok();
                }
            }
            let result = prepared.and_then(|()| self.write(batch, ops.iter().any(Op::needs_sync)));
            self.finish(ops, result);
        }
    }

    fn add(&self, batch: &mut WriteBatch, op: &Op) -> Result<(), StorageError> {
        let entries = self.shared.family(ENTRIES)?;
        let records = self.shared.family(RECORDS)?;
        match op {
            Op::Append { entries: new, .. } => {
                for (index, bytes) in new {
                    batch.put_cf(entries, index.to_be_bytes(), bytes);
                }
            }
            Op::Vote { vote, .. } => batch.put_cf(records, VOTE, vote),
            Op::Committed(Some(committed)) => batch.put_cf(records, COMMITTED, committed),
            Op::Committed(None) => batch.delete_cf(records, COMMITTED),
            Op::Truncate { from } => batch.delete_range_cf(entries, from.to_be_bytes(), u64::MAX.to_be_bytes()),
            Op::Purge { from, index, record } => {
                batch.put_cf(records, PURGED, [&index.to_be_bytes(), &**record].concat());
                batch.delete_range_cf(entries, from.to_be_bytes(), (index + 1).to_be_bytes());
            }
        }
        Ok(())
    }

    fn write(&self, batch: WriteBatch, sync: bool) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned {
                path: self.shared.path.clone(),
            });
        }
        let options = if sync { synced() } else { WriteOptions::default() };
        self.shared
            .db
            .write_opt(batch, &options)
            .map_err(|it| self.shared.error(it))
    }

    fn finish(&mut self, ops: Vec<Op>, result: Result<(), StorageError>) {
        match result {
            Ok(()) => {
                self.evict(&ops);
                ops.into_iter().for_each(|op| op.finish(Ok(())));
            }
            Err(error) => {
                // After a failed fsync nobody knows what is on disk, and trying again can only hide that.
                self.poisoned = true;
                tracing::error!(path = %self.shared.path.display(), error = &error as &dyn std::error::Error,
                    "cannot write the log");
                let mut error = Some(error);
                for op in ops {
                    let path = || self.shared.path.clone();
                    op.finish(Err(error
                        .take()
                        .unwrap_or_else(|| StorageError::Poisoned { path: path() })));
                }
            }
        }
    }

    /// Lets go of entries in memory that are on disk now.
    fn evict(&self, ops: &[Op]) {
        let appended = ops.iter().rev().find_map(|op| match op {
            Op::Append {
                entries, truncations, ..
            } => entries.last().map(|(index, _)| (*index, *truncations)),
            _ => None,
        });
        let Some((index, truncations)) = appended else { return };
        let mut view = self.shared.view();
        if view.truncations == truncations {
            view.tail.evict_to(index);
        }
    }
}
