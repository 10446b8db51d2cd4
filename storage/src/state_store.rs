//! The replicated state on disk: changes are written in batches, each whole or not at all, and nothing is synced until a
//! snapshot asks for it.
//!
//! What a crash loses is replayed from the log, which is purged only up to what has been flushed here.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use model::{Key, Resource, Revision, State, Timestamp};
use rocksdb::{DB, DBRecoveryMode, Direction, IteratorMode, Options, ReadOptions, WriteBatch, WriteOptions};
use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, append};
use crate::{StorageError, atomic_file, decode, encode};

/// Names the folder in use; see [`StateStore::replace`].
const POINTER: &str = "current";
const OWNER: &[u8] = b"m/owner";
const META: &[u8] = b"m/meta";
/// What is not yet in a file is held in memory, twice while it is written out.
const WRITE_BUFFER_BYTES: usize = 8 << 20;
/// Resources that are handed over together when all are read.
const LOT: usize = 1_024;
/// Lots that wait to be put together.
const LOTS_AHEAD: usize = 4;
const READ_AHEAD_BYTES: usize = 2 << 20;
/// Resources follow, under this prefix and their key.
const RESOURCE: u8 = b'r';

/// Where a state stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The last applied entry.
    pub revision: Revision,
    /// The state's own time.
    pub now: Timestamp,
    /// What consensus keeps with it, opaque.
    pub consensus: Vec<u8>,
}

/// The replicated state of one node.
pub struct StateStore {
    dir: PathBuf,
    owner: String,
    current: RwLock<Generation>,
}

/// The database in use. Installing a snapshot makes another one and then points to it.
struct Generation {
    number: u64,
    path: PathBuf,
    db: DB,
}

impl StateStore {
    /// Opens the state in this folder, or makes it if `is_new`: otherwise a state that is not there is a loss. Clears
    /// what an interrupted installation left. `owner` is recorded in a new one and compared in an old one.
    pub fn open(dir: &Path, owner: &str, is_new: bool) -> Result<Self, StorageError> {
        let io = |doing, source| StorageError::Io {
            doing,
            path: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(|it| io("create", it))?;
        let pointer = dir.join(POINTER);
        let number = match std::fs::read_to_string(&pointer) {
            Ok(text) => text.trim().parse().map_err(|_| StorageError::Damaged {
                path: pointer.clone(),
                reason: format!("`{}` is not a number", text.trim()),
            })?,
            Err(error) if is_new && error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(io("read the pointer in", error)),
        };
        clear_all_but(dir, number).map_err(|it| io("clear leftovers in", it))?;
        let current = Generation::open(dir, number, owner, is_new)?;
        if is_new {
            atomic_file::write(&pointer, 0o600, b"0\n").map_err(|it| io("write the pointer in", it))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            owner: owner.to_owned(),
            current: RwLock::new(current),
        })
    }

    /// Everything that is there. `None` for where it stands means that nothing was ever applied.
    pub fn load(&self) -> Result<(State, Option<Meta>), StorageError> {
        let current = self.current();
        let meta = current.meta()?;
        let (revision, now) = meta.as_ref().map_or_else(Default::default, |it| (it.revision, it.now));
        // To read them takes about as long as to put them together.
        let (sender, lots) = sync_channel(LOTS_AHEAD);
        let state = std::thread::scope(|scope| {
            let generation = &*current;
            let reading = scope.spawn(move || generation.read_all(&sender));
            let state = State::from_resources(revision, now, lots.into_iter().flatten());
            match reading.join() {
                Ok(read) => read.map(|()| state),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        Ok((state, meta))
    }

    /// The last applied entry.
    pub fn revision(&self) -> Result<Option<Revision>, StorageError> {
        Ok(self.current().meta()?.map(|it| it.revision))
    }

    /// Writes what a state has under these keys, and where it stands, as one batch. What else it has must be on disk
    /// already.
    pub fn write(&self, keys: &[Key], state: &State, meta: &Meta) -> Result<(), StorageError> {
        let current = self.current();
        let mut batch = Batch::default();
        for key in keys {
            match state.resource(*key) {
                Some(resource) => batch.put(&resource),
                None => batch.delete(*key),
            }
            .map_err(|it| current.codec(it))?;
        }
        let mut batch = batch.writes;
        batch.put(META, current.encoded(meta)?);
        current.db.write(batch).map_err(|it| current.error(it))
    }

    /// Makes all that was applied survive a power cut.
    pub fn flush(&self) -> Result<(), StorageError> {
        let current = self.current();
        current.db.flush_wal(true).map_err(|it| current.error(it))
    }

    /// Replaces everything. A crash at any point leaves either the old state or the new one.
    pub fn replace(&self, state: &State, meta: &Meta) -> Result<(), StorageError> {
        self.replace_in_steps(state, meta, &mut |_| {})
    }

    /// [`StateStore::replace`], which tells after each step that it was taken.
    pub(crate) fn replace_in_steps(
        &self,
        state: &State,
        meta: &Meta,
        step: &mut dyn FnMut(&'static str),
    ) -> Result<(), StorageError> {
        let io = |doing, source| StorageError::Io {
            doing,
            path: self.dir.clone(),
            source,
        };
        let number = self.current().number + 1;
        let next = Generation::open(&self.dir, number, &self.owner, true)?;
        step("an empty state was made");
        let mut batch = Batch::default();
        for resource in state.resources() {
            batch.put(&resource).map_err(|it| next.codec(it))?;
            if batch.writes.size_in_bytes() > 4 << 20 {
                next.db
                    .write(std::mem::take(&mut batch.writes))
                    .map_err(|it| next.error(it))?;
                step("a part was written");
            }
        }
        let mut batch = batch.writes;
        batch.put(META, next.encoded(meta)?);
        next.db.write_opt(batch, &synced()).map_err(|it| next.error(it))?;
        atomic_file::sync_dir(&self.dir).map_err(|it| io("sync", it))?;
        step("all of it was written");
        let pointer = self.dir.join(POINTER);
        atomic_file::write(&pointer, 0o600, format!("{number}\n").as_bytes()).map_err(|it| io("point in", it))?;
        step("the pointer was set");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        if let Err(error) = clear_all_but(&self.dir, number) {
            // The next start tries again.
            tracing::warn!(path = %self.dir.display(), %error, "cannot remove the state that was replaced");
        }
        Ok(())
    }

    fn current(&self) -> RwLockReadGuard<'_, Generation> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resources on their way to the disk. The two buffers are used for one after the other.
#[derive(Default)]
struct Batch {
    writes: WriteBatch,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Batch {
    fn put(&mut self, resource: &Resource) -> Result<(), CodecError> {
        self.name(resource.key())?;
        self.value.clear();
        append(resource, &mut self.value)?;
        self.writes.put(&self.key, &self.value);
        Ok(())
    }

    fn delete(&mut self, key: Key) -> Result<(), CodecError> {
        self.name(key)?;
        self.writes.delete(&self.key);
        Ok(())
    }

    fn name(&mut self, key: Key) -> Result<(), CodecError> {
        self.key.clear();
        self.key.push(RESOURCE);
        append(&key, &mut self.key)
    }
}

impl Generation {
    fn open(dir: &Path, number: u64, owner: &str, is_new: bool) -> Result<Self, StorageError> {
        let path = dir.join(number.to_string());
        let mut options = Options::default();
        options.create_if_missing(is_new);
        // Nothing here is synced as it is written, so a power cut may leave holes: everything before the first of them
        // is a state that once was, and the log has what came after.
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_keep_log_file_num(3);
        options.set_max_background_jobs(2);
        options.set_write_buffer_size(WRITE_BUFFER_BYTES);
        let of = |db: Result<DB, rocksdb::Error>| {
            let path = path.clone();
            match db {
                Ok(db) => Ok(Self { number, path, db }),
                Err(source) => Err(StorageError::Database { path, source }),
            }
        };
        if !is_new {
            // Opening a database tidies up, and removes what a damaged list of its files no longer names: what is not
            // as it should be is found out by a look that touches nothing.
            of(DB::open_for_read_only(&options, &path, false))?.check_owner(owner, false)?;
        }
        let this = of(DB::open(&options, &path))?;
        this.check_owner(owner, is_new)?;
        Ok(this)
    }

    fn check_owner(&self, owner: &str, is_new: bool) -> Result<(), StorageError> {
        match self.get(OWNER)? {
            Some(found) if found == owner.as_bytes() => Ok(()),
            Some(found) => Err(StorageError::WrongOwner {
                path: self.path.clone(),
                found: String::from_utf8_lossy(&found).into_owned(),
                expected: owner.to_owned(),
            }),
            None if !is_new => Err(StorageError::Damaged {
                path: self.path.clone(),
                reason: "it does not say whose it is".to_owned(),
            }),
            None => self.db.put_opt(OWNER, owner, &synced()).map_err(|it| self.error(it)),
        }
    }

    /// Sends all resources in lots.
    fn read_all(&self, to: &SyncSender<Vec<Resource>>) -> Result<(), StorageError> {
        let mut options = ReadOptions::default();
        // Each is read once.
        options.fill_cache(false);
        options.set_readahead_size(READ_AHEAD_BYTES);
        options.set_iterate_upper_bound([RESOURCE + 1]);
        let mode = IteratorMode::From(&[RESOURCE], Direction::Forward);
        let mut lot = Vec::with_capacity(LOT);
        for entry in self.db.iterator_opt(mode, options) {
            let (_, value) = entry.map_err(|it| self.error(it))?;
            lot.push(self.decoded(&value)?);
            if lot.len() == LOT {
                // The other end takes all there are.
                let _ = to.send(std::mem::replace(&mut lot, Vec::with_capacity(LOT)));
            }
        }
        let _ = to.send(lot);
        Ok(())
    }

    fn meta(&self) -> Result<Option<Meta>, StorageError> {
        self.get(META)?.map(|bytes| self.decoded(&bytes)).transpose()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.db.get(key).map_err(|it| self.error(it))
    }

    fn encoded<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, StorageError> {
        encode(value).map_err(|it| self.codec(it))
    }

    fn codec(&self, source: CodecError) -> StorageError {
        StorageError::Codec {
            path: self.path.clone(),
            source,
        }
    }

    fn decoded<T: serde::de::DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, StorageError> {
        decode(bytes).map_err(|it| self.codec(it))
    }

    fn error(&self, source: rocksdb::Error) -> StorageError {
        StorageError::Database {
            path: self.path.clone(),
            source,
        }
    }
}

fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

/// Removes every generation that is not in use.
fn clear_all_but(dir: &Path, number: u64) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.parse::<u64>().is_ok_and(|other| other != number) {
            std::fs::remove_dir_all(entry.path())?;
        } else if name.ends_with(atomic_file::UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
