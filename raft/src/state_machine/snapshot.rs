//! Snapshots of the state machine: taken, offered to peers, installed.

use std::fs::File;
use std::io;
use std::sync::Arc;

use model::State;
use openraft::storage::RaftSnapshotBuilder;
use storage::{Meta, Snapshot, SnapshotHeader, Snapshots, Staged};

use super::write_behind::Written;
use crate::blocking;
use crate::cluster::Hold;
use crate::ground::StateDisk;
use crate::log_store::io_error;
use crate::stored;
use crate::types::{SnapshotMeta, TypeConfig};

type Offered = openraft::alias::SnapshotOf<TypeConfig, SnapshotData>;

/// The bytes of a snapshot.
#[derive(Debug)]
pub(crate) enum SnapshotData {
    /// One of ours. The open file can be sent even after a newer snapshot has replaced it.
    Ours(File),
    /// One that a leader has sent.
    Received(Staged),
}

/// Writes one snapshot of the state as it was when the builder was made.
pub(crate) struct SnapshotBuilder {
    pub(super) store: Arc<dyn StateDisk>,
    /// Tells when the state on disk is as far.
    pub(super) written: Option<Written>,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) state: State,
    pub(super) meta: Meta,
    /// Dropped after the store.
    pub(super) _hold: Hold,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<Offered, io::Error> {
        if let Some(written) = self.written.take() {
            written.wait().await?;
        }
        let (store, snapshots) = (self.store.clone(), self.snapshots.clone());
        let (state, meta) = (self.state.clone(), self.meta.clone());
        let build = move || {
            // Once there is a snapshot the log may be purged, and then nothing could replay what the state store has
            // not yet synced.
            store.flush().map_err(io_error)?;
            offer(snapshots.build(&state, &meta).map_err(io_error)?)
        };
        blocking::run(build).await?
    }
}

/// A snapshot in openraft's terms.
pub(super) fn offer(snapshot: Snapshot) -> io::Result<Offered> {
    let (last_log_id, last_membership) = stored::read_applied(&snapshot.header.meta.consensus)?;
    let file = File::open(&snapshot.path)?;
    Ok(Offered {
        meta: SnapshotMeta {
            last_log_id,
            last_membership,
        },
        snapshot: SnapshotData::Ours(file),
    })
}

/// Replaces the state on disk by a snapshot's.
pub(super) fn install(
    store: &dyn StateDisk,
    snapshots: &Snapshots,
    data: SnapshotData,
) -> io::Result<(SnapshotHeader, State)> {
    let staged = match data {
        SnapshotData::Received(staged) => staged,
        SnapshotData::Ours(mut file) => {
            let mut staged = snapshots.stage().map_err(io_error)?;
            io::copy(&mut file, &mut staged)?;
            staged
        }
    };
    let (snapshot, state) = snapshots.adopt(staged).map_err(io_error)?;
    store.replace(&state, &snapshot.header.meta).map_err(io_error)?;
    Ok((snapshot.header, state))
}
