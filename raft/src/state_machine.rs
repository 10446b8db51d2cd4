//! The replicated state machine: entries in, state, answers and changes out.

mod snapshot;
mod write_behind;

use std::io;
use std::sync::Arc;

use futures::StreamExt;
use model::{Change, Revision, State};
use openraft::OptionalSend;
use openraft::storage::{EntryResponder, RaftStateMachine};
use storage::{Meta, Snapshots, StorageError};

pub(crate) use self::snapshot::{SnapshotBuilder, SnapshotData};
use self::write_behind::WriteBehind;
use crate::blocking;
use crate::cluster::Hold;
use crate::effect::{Payload, effect};
use crate::ground::{LogDisk, StateDisk};
use crate::log_store::io_error;
use crate::publish::{Published, is_told};
use crate::stored;
use crate::types::{LogId, Reply, SnapshotMeta, StoredMembership, TypeConfig};

/// Entries shown as one at most.
const CHUNK: usize = 256;

/// Applies committed entries.
pub(crate) struct StateMachine {
    store: Arc<dyn StateDisk>,
    behind: WriteBehind,
    snapshots: Arc<Snapshots>,
    published: Arc<Published>,
    state: State,
    applied: Option<LogId>,
    membership: StoredMembership,
    /// Dropped after the store.
    hold: Hold,
}

impl StateMachine {
    /// Loads what is on disk. Also returns what the rest of the node sees of it.
    pub(crate) fn load(
        store: Arc<dyn StateDisk>,
        snapshots: Arc<Snapshots>,
        watch_buffer: usize,
        hold: Hold,
    ) -> io::Result<(Self, Arc<Published>)> {
        let (state, meta) = store.load().map_err(io_error)?;
        let (applied, membership) = meta
            .map(|it| stored::read_applied(&it.consensus))
            .transpose()?
            .unwrap_or_default();
        let published = Arc::new(Published::new(state.clone(), applied.map(|it| it.index), watch_buffer));
        let this = Self {
            behind: WriteBehind::new(store.clone(), hold.clone()),
            store,
            snapshots,
            published: published.clone(),
            state,
            applied,
            membership,
            hold,
        };
        Ok((this, published))
    }

    fn meta(&self) -> Meta {
        meta(&self.state, self.applied.as_ref(), &self.membership)
    }

    /// After a crash the state can be ahead of this node's own log, since a node applies what enough others have on their
    /// disks. openraft goes on behind the state then, and takes for granted that all before is in a snapshot.
    pub(crate) fn cover_gap(&self, log: &dyn LogDisk) -> Result<(), StorageError> {
        let bounds = log.bounds()?;
        let last = bounds.last.or(bounds.purged).map(|(index, _)| index);
        let applied = self.applied.map(|it| it.index);
        let covered = self.snapshots.newest().map(|it| it.header.meta.revision.0);
        if applied > last && applied > covered {
            self.store.flush()?;
            self.snapshots.build(&self.state, &self.meta())?;
        }
        Ok(())
    }

    /// Applies one entry to the state in memory. Answers what watchers are told of.
    fn step(&mut self, id: LogId, payload: Payload) -> io::Result<(Vec<Change>, Reply)> {
        // A command that this version does not know must stop the node: skipping it would let the states of the nodes drift
        // apart.
        let effect = effect(&self.state, id, payload).map_err(|error| {
            let text = format!(
                "entry {} cannot be decoded, perhaps a newer version wrote it: {error}",
                id.index
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        // Only now: an entry that stopped the node must not pass for one that was applied.
        self.applied = Some(id);
        if let Some(membership) = effect.membership {
            self.membership = membership;
        }
        self.behind.note(&effect.changes);
        let told = effect.changes.iter().filter(|it| is_told(it)).cloned().collect();
        self.state.apply(Revision(id.index), effect.at, effect.changes);
        Ok((told, Reply(effect.result)))
    }
}

/// What is not on disk yet follows.
impl Drop for StateMachine {
    fn drop(&mut self) {
        if self.behind.is_behind() {
            let meta = self.meta();
            // Who closes the stores waits for it.
            drop(self.behind.write(&self.state, meta));
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: futures::Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut chunks = entries.ready_chunks(CHUNK);
        while let Some(chunk) = chunks.next().await {
            let mut told = Vec::with_capacity(chunk.len());
            let mut replies = Vec::with_capacity(chunk.len());
            let mut last = None;
            for item in chunk {
                let (entry, responder) = item?;
                let (changes, reply) = self.step(entry.log_id, entry.payload)?;
                told.extend(changes);
                replies.extend(responder.map(|it| (it, reply)));
                last = Some(entry.log_id.index);
            }
            let Some(last) = last else { continue };
            // Seen by readers here before anybody is told that it is done.
            self.published.advance(self.state.clone(), last, told);
            for (responder, reply) in replies {
                responder.send(reply);
            }
            let meta = || meta(&self.state, self.applied.as_ref(), &self.membership);
            self.behind.keep_up(&self.state, meta).await?;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let meta = self.meta();
        SnapshotBuilder {
            store: self.store.clone(),
            written: Some(self.behind.write(&self.state, meta.clone())),
            snapshots: self.snapshots.clone(),
            state: self.state.clone(),
            meta,
            _hold: self.hold.clone(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: SnapshotData) -> Result<(), io::Error> {
        // What is on its way would be written over it.
        let meta_before = self.meta();
        self.behind.write(&self.state, meta_before).wait().await?;
        let (store, snapshots) = (self.store.clone(), self.snapshots.clone());
        let install = move || snapshot::install(&*store, &snapshots, data);
        let (header, state) = blocking::run(install).await??;
        let (applied, membership) = stored::read_applied(&header.meta.consensus)?;
        if applied != meta.last_log_id {
            let text = format!(
                "a snapshot was announced as {:?} but holds {applied:?}",
                meta.last_log_id
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        (self.state, self.applied, self.membership) = (state, applied, membership);
        if let Some(applied) = applied {
            self.published.replace(self.state.clone(), applied.index);
        }
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<openraft::alias::SnapshotOf<TypeConfig, SnapshotData>>, io::Error> {
        self.snapshots.newest().map(snapshot::offer).transpose()
    }
}

/// Where a state stands.
fn meta(state: &State, applied: Option<&LogId>, membership: &StoredMembership) -> Meta {
    Meta {
        revision: state.revision(),
        now: state.now(),
        consensus: stored::applied(applied, membership),
    }
}

#[cfg(test)]
mod tests;
