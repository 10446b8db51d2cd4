//! The raft log on disk: appended in memory, written by one thread, many writes to one fsync.

mod refound;
mod tail;
mod writer;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, Direction, IteratorMode, Options, ReadOptions,
};

use self::tail::Tail;
use self::writer::{Op, Writer};
use crate::StorageError;

/// What is not yet in a file is held in memory, twice while it is written out.
const WRITE_BUFFER_BYTES: usize = 8 << 20;
const ENTRIES: &str = "entries";
const RECORDS: &str = "records";
const OWNER: &[u8] = b"owner";
const VOTE: &[u8] = b"vote";
const COMMITTED: &[u8] = b"committed";
const PURGED: &[u8] = b"purged";
const EPOCH: &[u8] = b"epoch";

/// Called once what was queued is on disk, or can never be: then the node must stop. Calls come in the order of the
/// queue.
pub type Flushed = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

/// Where the log begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogBounds {
    /// The last purged entry: its index and what was recorded of it.
    pub purged: Option<(u64, Arc<[u8]>)>,
    /// The last entry that is there: its index and bytes.
    pub last: Option<(u64, Arc<[u8]>)>,
}

/// The raft log, the vote and the commit mark of one node. Entries are opaque; their indexes have no gaps. Everything is
/// readable at once and written in the order of the calls.
pub struct LogStore {
    shared: Arc<Shared>,
    queue: Option<Sender<Op>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    db: DB,
    /// What readers see, which is ahead of the disk.
    view: Mutex<View>,
}

#[derive(Default)]
struct View {
    tail: Tail,
    vote: Option<Arc<[u8]>>,
    committed: Option<Arc<[u8]>>,
    purged: Option<(u64, Arc<[u8]>)>,
    /// The index of the first entry, or of the next one to come.
    begin: u64,
    /// The index after the last entry.
    end: u64,
    /// Counts truncations, so that the writer does not take new entries for the old ones that it wrote.
    truncations: u64,
}

impl LogStore {
    /// Opens the log in this folder, or makes it if `is_new`: otherwise a log that is not there is a loss. `owner` is
    /// recorded in a new one and compared in an old one.
    pub fn open(path: &Path, owner: &str, is_new: bool) -> Result<Self, StorageError> {
        let error = |source| StorageError::Database {
            path: path.to_owned(),
            source,
        };
        let families = [ENTRIES, RECORDS].map(|name| ColumnFamilyDescriptor::new(name, family_options()));
        let db = DB::open_cf_descriptors(&options(is_new), path, families).map_err(error)?;
        let shared = Shared {
            path: path.to_owned(),
            db,
            view: Mutex::default(),
        };
        shared.check_owner(owner, is_new)?;
        shared.load()?;
        let shared = Arc::new(shared);
        let (queue, incoming) = channel();
        let writer = Writer::new(shared.clone(), incoming);
        let thread = std::thread::Builder::new()
            .name("goblins-log".to_owned())
            .spawn(move || writer.run());
        let thread = thread.map_err(|source| StorageError::Io {
            doing: "start a thread for",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            shared,
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Where the log begins and ends.
    pub fn bounds(&self) -> Result<LogBounds, StorageError> {
        let (purged, begin, end) = {
            let view = self.shared.view();
            (view.purged.clone(), view.begin, view.end)
        };
        let last = if begin < end {
            self.read(end - 1..end)?.pop().map(|it| (end - 1, it))
        } else {
            None
        };
        Ok(LogBounds { purged, last })
    }

    /// Adds entries, the first of which follows the last one there.
    pub fn append(&self, entries: Vec<(u64, Arc<[u8]>)>, flushed: Flushed) {
        let mut view = self.shared.view();
        if let (Some((index, _)), true) = (entries.first(), view.begin == view.end) {
            view.begin = *index;
        }
        for (index, bytes) in &entries {
            view.tail.push(*index, bytes.clone());
            view.end = index + 1;
        }
        let truncations = view.truncations;
        self.send(Op::Append {
            entries,
            truncations,
            flushed,
        });
    }

    /// Removes the entries from `index` on.
    pub fn truncate_from(&self, index: u64) {
        let mut view = self.shared.view();
        view.tail.truncate_from(index);
        view.end = view.end.min(index).max(view.begin);
        view.truncations += 1;
        self.send(Op::Truncate { from: index });
    }

    /// Removes the entries up to and including `index`, and records `record` of the last one. May reach beyond the end
    /// of the log: then it goes on after `index`.
    pub fn purge(&self, index: u64, record: Arc<[u8]>) {
        let mut view = self.shared.view();
        let from = view.purged.as_ref().map_or(0, |(purged, _)| purged + 1);
        if index < from {
            return;
        }
        view.tail.purge_to(index);
        view.begin = index + 1;
        view.end = view.end.max(view.begin);
        view.purged = Some((index, record.clone()));
        self.send(Op::Purge { from, index, record });
    }

    /// The entries of this range that are there: all of them, without gaps.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<Arc<[u8]>>, StorageError> {
        loop {
            let (on_disk, mut in_memory, seen) = {
                let view = self.shared.view();
                let range = range.start.max(view.begin)..range.end.min(view.end);
                if range.is_empty() {
                    return Ok(Vec::new());
                }
                let split = view.tail.first().clamp(range.start, range.end);
                (
                    range.start..split,
                    view.tail.read(split..range.end),
                    (view.begin, view.truncations),
                )
            };
            if on_disk.is_empty() {
                return Ok(in_memory);
            }
            let mut entries = self.shared.read_from_disk(on_disk.clone())?;
            let found = entries.len() as u64;
            if found == on_disk.end - on_disk.start {
                entries.append(&mut in_memory);
                return Ok(entries);
            }
            let view = self.shared.view();
            if (view.begin, view.truncations) == seen {
                let reason = format!("entries {on_disk:?} should be there, but only {found} of them are");
                return Err(StorageError::Damaged {
                    path: self.shared.path.clone(),
                    reason,
                });
            }
            // They were purged or truncated meanwhile: look again.
        }
    }

    /// Saves the vote; `flushed` is called once it is on disk.
    pub fn save_vote(&self, vote: Arc<[u8]>, flushed: Flushed) {
        let mut view = self.shared.view();
        view.vote = Some(vote.clone());
        self.send(Op::Vote { vote, flushed });
    }

    /// The last saved vote.
    #[must_use]
    pub fn vote(&self) -> Option<Arc<[u8]>> {
        self.shared.view().vote.clone()
    }

    /// Saves how far the log is committed. Reaches the disk with the next entries at the latest.
    pub fn save_committed(&self, committed: Option<Arc<[u8]>>) {
        let mut view = self.shared.view();
        view.committed.clone_from(&committed);
        self.send(Op::Committed(committed));
    }

    /// How far the log is known to be committed.
    #[must_use]
    pub fn committed(&self) -> Option<Arc<[u8]>> {
        self.shared.view().committed.clone()
    }

    /// Callers hold the view's lock, so that the queue has the order of what readers see.
    fn send(&self, op: Op) {
        let Some(queue) = &self.queue else { return };
        if let Err(unsent) = queue.send(op) {
            // The writer ended: it panicked. Nothing can be written any more.
            unsent.0.finish(Err(StorageError::Poisoned {
                path: self.shared.path.clone(),
            }));
        }
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(path = %self.shared.path.display(), "the log writer panicked");
        }
    }
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily, StorageError> {
        self.db.cf_handle(name).ok_or_else(|| StorageError::Damaged {
            path: self.path.clone(),
            reason: format!("column family {name} is missing"),
        })
    }

    fn error(&self, source: rocksdb::Error) -> StorageError {
        StorageError::Database {
            path: self.path.clone(),
            source,
        }
    }

    fn record(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>, StorageError> {
        let value = self
            .db
            .get_cf(self.family(RECORDS)?, key)
            .map_err(|it| self.error(it))?;
        Ok(value.map(Arc::from))
    }

    fn check_owner(&self, owner: &str, is_new: bool) -> Result<(), StorageError> {
        match self.record(OWNER)? {
            Some(found) if &*found == owner.as_bytes() => Ok(()),
            Some(found) => Err(StorageError::WrongOwner {
                path: self.path.clone(),
                found: String::from_utf8_lossy(&found).into_owned(),
                expected: owner.to_owned(),
            }),
            None if !is_new => Err(StorageError::Damaged {
                path: self.path.clone(),
                reason: "it does not say whose it is".to_owned(),
            }),
            None => self
                .db
                .put_cf_opt(self.family(RECORDS)?, OWNER, owner, &writer::synced())
                .map_err(|it| self.error(it)),
        }
    }

    fn load(&self) -> Result<(), StorageError> {
        let purged = self
            .record(PURGED)?
            .map(|record| self.split_purged(&record))
            .transpose()?;
        let mut view = self.view();
        view.vote = self.record(VOTE)?;
        view.committed = self.record(COMMITTED)?;
        view.purged = purged;
        view.begin = view.purged.as_ref().map_or(0, |(index, _)| index + 1);
        view.end = view.begin;
        let start = view.begin.to_be_bytes();
        let first = self.first_index(IteratorMode::From(&start, Direction::Forward))?;
        let last = self.first_index(IteratorMode::End)?;
        if let (Some(first), Some(last)) = (first, last) {
            if view.purged.is_some() && first != view.begin {
                let reason = format!("the log was purged before {} but begins at {first}", view.begin);
                return Err(StorageError::Damaged {
                    path: self.path.clone(),
                    reason,
                });
            }
            view.begin = first;
            view.end = last + 1;
        }
        let end = view.end;
        view.tail = Tail::starting_at(end);
        Ok(())
    }

    /// The index of the entry that an iteration begins with.
    fn first_index(&self, mode: IteratorMode<'_>) -> Result<Option<u64>, StorageError> {
        let entry = self.db.iterator_cf(self.family(ENTRIES)?, mode).next().transpose();
        entry
            .map_err(|it| self.error(it))?
            .map(|(key, _)| self.index_of(&key))
            .transpose()
    }

    /// A purge record is the index and then what the caller said of it.
    fn split_purged(&self, record: &[u8]) -> Result<(u64, Arc<[u8]>), StorageError> {
        let (key, rest) = record.split_at_checked(8).ok_or_else(|| StorageError::Damaged {
            path: self.path.clone(),
            reason: "the record of the last purge is too short".to_owned(),
        })?;
        Ok((self.index_of(key)?, Arc::from(rest)))
    }

    fn index_of(&self, key: &[u8]) -> Result<u64, StorageError> {
        key.try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| StorageError::Damaged {
                path: self.path.clone(),
                reason: "there is a log entry without an index".to_owned(),
            })
    }

    fn read_from_disk(&self, range: Range<u64>) -> Result<Vec<Arc<[u8]>>, StorageError> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(range.end.to_be_bytes().to_vec());
        let start = range.start.to_be_bytes();
        let mode = IteratorMode::From(&start, Direction::Forward);
        let entries = self.db.iterator_cf_opt(self.family(ENTRIES)?, options, mode);
        entries
            .map(|entry| entry.map(|(_, bytes)| Arc::from(bytes)).map_err(|it| self.error(it)))
            .collect()
    }
}

fn options(is_new: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(is_new);
    options.create_missing_column_families(is_new);
    // The default stops silently at the first damaged record, which would take back votes and entries that peers
    // count on. This one forgives only a torn last write, which was never acknowledged.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_avoid_unnecessary_blocking_io(true);
    options.set_max_total_wal_size(64 << 20);
    options.set_keep_log_file_num(3);
    options.set_max_background_jobs(2);
    options
}

/// Of each column family: those of the database hold for the default one only, which is empty.
fn family_options() -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options
}

#[cfg(test)]
mod tests;
