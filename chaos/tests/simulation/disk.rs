//! The log and the state of one host in memory, with an explicit loss of what was not synced: for simulations only, whose
//! order the threads of a real database would break.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Change, Key, Resource, State};
use raft::{Disks, LogDisk, Opened, StateDisk};
use rand::Rng as _;
use storage::{DataDir, Flushed, LogBounds, Meta, OpenError, Snapshots, StorageError};

use crate::bug::Bug;
use crate::net::Net;

/// The disk of one host. Clones are the same one.
#[derive(Clone)]
pub struct LossyDisk(Arc<Mutex<Platter>>);

struct Platter {
    net: Net,
    bug: Bug,
    /// What readers see, and what is there after a power cut.
    view: Log,
    synced: Log,
    queue: VecDeque<Op>,
    is_syncing: bool,
    state: Table,
    synced_state: Table,
    /// Batches of changes since.
    batches: Vec<Batch>,
}

type Batch = (Vec<Change>, Meta);

#[derive(Clone, Default)]
struct Log {
    entries: BTreeMap<u64, Arc<[u8]>>,
    vote: Option<Arc<[u8]>>,
    committed: Option<Arc<[u8]>>,
    purged: Option<(u64, Arc<[u8]>)>,
}

#[derive(Clone, Default)]
struct Table {
    resources: BTreeMap<Key, Resource>,
    meta: Option<Meta>,
}

enum Op {
    Append(Vec<(u64, Arc<[u8]>)>, Option<Flushed>),
    Vote(Arc<[u8]>, Option<Flushed>),
    Committed(Option<Arc<[u8]>>),
    Truncate(u64),
    Purge(u64, Arc<[u8]>),
}

impl Log {
    fn step(&mut self, op: &Op) {
        match op {
            Op::Append(entries, _) => self.entries.extend(entries.iter().cloned()),
            Op::Vote(vote, _) => self.vote = Some(vote.clone()),
            Op::Committed(committed) => self.committed.clone_from(committed),
            Op::Truncate(from) => drop(self.entries.split_off(from)),
            Op::Purge(index, record) => {
                self.entries = self.entries.split_off(&(index + 1));
                self.purged = Some((*index, record.clone()));
            }
        }
    }
}

impl Table {
    fn step(&mut self, (changes, meta): &Batch) {
        for change in changes {
            match change {
                Change::Put(resource) => drop(self.resources.insert(resource.key(), resource.clone())),
                Change::Delete(key) => drop(self.resources.remove(key)),
            }
        }
        self.meta = Some(meta.clone());
    }
}

impl LossyDisk {
    pub fn new(net: &Net, bug: Bug) -> Self {
        Self(Arc::new(Mutex::new(Platter {
            net: net.clone(),
            bug,
            view: Log::default(),
            synced: Log::default(),
            queue: VecDeque::new(),
            is_syncing: false,
            state: Table::default(),
            synced_state: Table::default(),
            batches: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process has died: of what it had not synced yet, a part that begins at the beginning was written all the same.
    /// What was written without a sync is there, unless the host lost its power too.
    pub fn crash(&self, power: bool) {
        let mut guard = self.lock();
        let disk = &mut *guard;
        let queue = std::mem::take(&mut disk.queue);
        let kept = disk.net.random(|it| it.random_range(0..=queue.len()));
        for op in queue.iter().take(kept) {
            // A vote that is never synced is not written by accident either.
            if !(disk.bug == Bug::VoteIsNotSynced && matches!(op, Op::Vote(..))) {
                disk.synced.step(op);
            }
        }
        disk.view = disk.synced.clone();
        disk.is_syncing = false;
        if power {
            let kept = disk.net.random(|it| it.random_range(0..=disk.batches.len()));
            for batch in disk.batches.iter().take(kept) {
                disk.synced_state.step(batch);
            }
            disk.state = disk.synced_state.clone();
        } else {
            disk.synced_state = disk.state.clone();
        }
        disk.batches.clear();
        drop(guard);
        // Nobody is told any more.
        drop(queue);
    }

    fn push(&self, mut op: Op) {
        let mut disk = self.lock();
        disk.view.step(&op);
        let early = match (disk.bug, &mut op) {
            (Bug::AckBeforeSync, Op::Append(_, flushed)) | (Bug::VoteIsNotSynced, Op::Vote(_, flushed)) => {
                flushed.take()
            }
            _ => None,
        };
        disk.queue.push_back(op);
        if !disk.is_syncing {
            disk.is_syncing = true;
            tokio::spawn(self.clone().sync());
        }
        drop(disk);
        if let Some(flushed) = early {
            flushed(Ok(()));
        }
    }

    /// Writes all that is queued with one sync, again and again while there is something, as the real one does.
    async fn sync(self) {
        loop {
            let (count, takes) = {
                let mut disk = self.lock();
                if disk.queue.is_empty() {
                    disk.is_syncing = false;
                    return;
                }
                let takes = disk.net.random(|it| match it.random_range(0..100) {
                    0 => it.random_range(20_000..200_000),
                    _ => it.random_range(500..5_000),
                });
                (disk.queue.len(), takes)
            };
            tokio::time::sleep(Duration::from_micros(takes)).await;
            let done: Vec<Op> = {
                let mut guard = self.lock();
                let disk = &mut *guard;
                let done: Vec<Op> = disk.queue.drain(..count).collect();
                for op in &done {
                    if !(disk.bug == Bug::VoteIsNotSynced && matches!(op, Op::Vote(..))) {
                        disk.synced.step(op);
                    }
                }
                done
            };
            for op in done {
                if let Op::Append(_, Some(flushed)) | Op::Vote(_, Some(flushed)) = op {
                    flushed(Ok(()));
                }
            }
        }
    }
}

/// Opens the disk of one host.
pub struct SimDisks(pub LossyDisk);

impl Disks for SimDisks {
    fn open(&self, dir: &mut DataDir) -> Result<Opened, OpenError> {
        let snapshots = Snapshots::open(&dir.path().join("snapshots"), dir.identity().cluster)?;
        let disk = self.0.lock();
        // The same demand as the real stores make: what was purged is in the state or in a snapshot.
        let purged = disk.synced.purged.as_ref().map(|(index, _)| *index);
        let state = disk.synced_state.meta.as_ref().map(|it| it.revision.0);
        let snapshot = snapshots.newest().map(|it| it.header.meta.revision.0);
        if purged > state.max(snapshot) {
            return Err(OpenError::Store(StorageError::Damaged {
                path: PathBuf::from("simulated"),
                reason: format!("the log begins after {purged:?}, but the state ends at {state:?} and {snapshot:?}"),
            }));
        }
        drop(disk);
        Ok(Opened {
            log: Arc::new(self.0.clone()),
            state: Arc::new(self.0.clone()),
            snapshots,
        })
    }
}

impl LogDisk for LossyDisk {
    fn bounds(&self) -> Result<LogBounds, StorageError> {
        let disk = self.lock();
        let last = disk.view.entries.last_key_value();
        Ok(LogBounds {
            purged: disk.view.purged.clone(),
            last: last.map(|(index, bytes)| (*index, bytes.clone())),
        })
    }

    fn append(&self, entries: Vec<(u64, Arc<[u8]>)>, flushed: Flushed) {
        self.push(Op::Append(entries, Some(flushed)));
    }

    fn truncate_from(&self, index: u64) {
        self.push(Op::Truncate(index));
    }

    fn purge(&self, index: u64, record: Arc<[u8]>) {
        let purged = self.lock().view.purged.as_ref().map(|(index, _)| *index);
        if Some(index) > purged {
            self.push(Op::Purge(index, record));
        }
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<Arc<[u8]>>, StorageError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let disk = self.lock();
        Ok(disk.view.entries.range(range).map(|(_, bytes)| bytes.clone()).collect())
    }

    fn save_vote(&self, vote: Arc<[u8]>, flushed: Flushed) {
        self.push(Op::Vote(vote, Some(flushed)));
    }

    fn vote(&self) -> Option<Arc<[u8]>> {
        self.lock().view.vote.clone()
    }

    fn save_committed(&self, committed: Option<Arc<[u8]>>) {
        self.push(Op::Committed(committed));
    }

    fn committed(&self) -> Option<Arc<[u8]>> {
        self.lock().view.committed.clone()
    }
}

impl StateDisk for LossyDisk {
    fn load(&self) -> Result<(State, Option<Meta>), StorageError> {
        let disk = self.lock();
        let meta = disk.state.meta.clone();
        let (revision, now) = meta.as_ref().map_or_else(Default::default, |it| (it.revision, it.now));
        let resources = disk.state.resources.values().cloned();
        Ok((State::from_resources(revision, now, resources), meta))
    }

    fn write(&self, keys: &[Key], state: &State, meta: &Meta) -> Result<(), StorageError> {
        let mut disk = self.lock();
        let put = |key| state.resource(key).map(Change::Put);
        let changes = keys.iter().map(|key| put(*key).unwrap_or(Change::Delete(*key)));
        let batch = (changes.collect(), meta.clone());
        disk.state.step(&batch);
        disk.batches.push(batch);
        Ok(())
    }

    fn flush(&self) -> Result<(), StorageError> {
        let mut disk = self.lock();
        disk.synced_state = disk.state.clone();
        disk.batches.clear();
        Ok(())
    }

    fn replace(&self, state: &State, meta: &Meta) -> Result<(), StorageError> {
        let mut disk = self.lock();
        let resources = state.resources().map(|it| (it.key(), it)).collect();
        disk.state = Table {
            resources,
            meta: Some(meta.clone()),
        };
        disk.synced_state = disk.state.clone();
        disk.batches.clear();
        Ok(())
    }
}
