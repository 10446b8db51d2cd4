//! The folder of a survivor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use model::{Actor, Command, Envelope, NodeId, OperationId, Revision, State, Submission, Timestamp};
use openraft::EntryPayload;
use storage::{DataDir, DataDirError, Folder, LogStore, OpenError, StorageError, Stores};
use thiserror::Error;
use uuid::Uuid;

use super::{Point, Survivor, Voter};
use crate::effect::effect;
use crate::stored;
use crate::types::{Entry, LogId, Membership, Peer, Proposal, StoredMembership, Vote};

/// Entries replayed at a time.
const CHUNK: u64 = 1_024;
/// Ids of nodes that the lost voters may have given out among themselves are left out: more than anybody lets in
/// unnoticed.
const IDS_LEFT_OUT: u64 = 1_000;

/// Why a folder cannot be recovered from.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// The folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A daemon runs on it.
    #[error("a daemon runs on {0}: stop it first; its folder is only read and changed while nothing else does")]
    InUse(PathBuf),
    /// No node lives in it.
    #[error("{0} holds no node: point to the data folder of a survivor")]
    Vacant(PathBuf),
    /// A store in it cannot be read or written.
    #[error("the stores in {path} cannot be used")]
    Store {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: StorageError,
    },
    /// What is in them cannot be read.
    #[error("entry {index} of the log in {path} cannot be read: perhaps a newer version wrote it")]
    Entry {
        /// The folder.
        path: PathBuf,
        /// Which one.
        index: u64,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The state does not know this node, so that it could not be kept as its only one.
    #[error("{path} does not hold the state of a cluster with this node in it: it had not caught up yet; keep another")]
    NotCaughtUp {
        /// The folder.
        path: PathBuf,
    },
}

/// The folder of a survivor, locked, with all that its log holds applied in memory.
pub struct SurvivorFolder {
    path: PathBuf,
    // Before the folder's lock: closed first.
    log: LogStore,
    state: State,
    survivor: Survivor,
    _dir: DataDir,
}

impl SurvivorFolder {
    /// Opens a folder that no daemon uses. Only a folder with a node in it is touched at all.
    pub fn open(path: &Path) -> Result<Self, RecoveryError> {
        if !path.join("identity.json").exists() {
            DataDir::check(path)?;
            return Err(RecoveryError::Vacant(path.to_owned()));
        }
        let mut dir = match DataDir::open(path) {
            Ok(Folder::Node(dir)) => dir,
            Ok(Folder::Vacant(_)) => return Err(RecoveryError::Vacant(path.to_owned())),
            Err(DataDirError::Locked(path)) => return Err(RecoveryError::InUse(path)),
            Err(error) => return Err(error.into()),
        };
        let store = |source| RecoveryError::Store {
            path: path.to_owned(),
            source,
        };
        let Stores { log, state, snapshots } = dir.open_stores().map_err(|error| match error {
            OpenError::DataDir(error) => error.into(),
            OpenError::Store(error) => store(error),
        })?;
        let (mut known, mut meta) = state.load().map_err(store)?;
        // A snapshot that came last and was not taken over yet.
        let newest = snapshots.newest();
        if let Some(it) = newest.filter(|it| meta.as_ref().is_none_or(|own| own.revision < it.header.meta.revision)) {
            let (header, newer) = snapshots.read(&it.path).map_err(store)?;
            (known, meta) = (newer, Some(header.meta));
        }
        let unreadable = |index| {
            move |source| RecoveryError::Entry {
                path: path.to_owned(),
                index,
                source,
            }
        };
        let revision = meta.as_ref().map_or(0, |it| it.revision.0);
        let (applied, membership) = meta
            .map(|it| stored::read_applied(&it.consensus))
            .transpose()
            .map_err(unreadable(revision))?
            .unwrap_or_default();
        let from = applied.map_or(0, |it| it.index + 1);
        let mut replay = Replay {
            state: known,
            membership,
            last: applied,
        };
        let end = log.bounds().map_err(store)?.last.map_or(0, |(index, _)| index + 1);
        let mut next = from;
        while next < end {
            let upto = end.min(next + CHUNK);
            for (index, bytes) in (next..upto).zip(log.read(next..upto).map_err(store)?) {
                let entry = stored::read_entry(&bytes).map_err(unreadable(index))?;
                replay.step(entry).map_err(unreadable(index))?;
            }
            next = upto;
        }
        let purged = log.bounds().map_err(store)?.purged;
        let purged = purged.map(|(index, record)| stored::read_log_id(&record).map_err(unreadable(index)));
        let last = replay.last.max(purged.transpose()?);
        let vote = log
            .vote()
            .map(|it| stored::read_vote(&it))
            .transpose()
            .map_err(unreadable(0))?;
        let committed = log.committed().map(|it| stored::read_log_id(&it)).transpose();
        let committed = committed.map_err(unreadable(0))?;
        let survivor = describe(&dir, &replay, (last, vote, committed, applied));
        Ok(Self {
            path: path.to_owned(),
            log,
            state: replay.state,
            survivor,
            _dir: dir,
        })
    }

    /// What it says of itself.
    #[must_use]
    pub fn survivor(&self) -> &Survivor {
        &self.survivor
    }

    /// The state with everything that this node has in its log.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Makes this the folder of a cluster of one, which holds all that this node has. A crash at any point leaves the
    /// folder as it was, or as it is to be. Answers the new epoch.
    pub fn refound(self) -> Result<u64, RecoveryError> {
        let Self {
            path,
            log,
            state,
            survivor,
            _dir,
        } = self;
        let known = state.node(survivor.node).filter(|_| state.cluster().is_some());
        let (Some(node), Some(cluster)) = (known, state.cluster()) else {
            return Err(RecoveryError::NotCaughtUp { path });
        };
        let (me, epoch) = (survivor.node.0, survivor.epoch + 1);
        // Later than anything that this node has heard of.
        let term = survivor.term.max(survivor.last.term) + 1;
        let peer = Peer {
            name: node.name.clone(),
            address: node.peer_addr.to_string(),
        };
        let membership = Membership::new(vec![BTreeSet::from([me])], BTreeMap::from([(me, peer)]));
        let unreadable = |index, source| RecoveryError::Entry {
            path: path.clone(),
            index,
            source,
        };
        let index = survivor.last.index + 1;
        let membership = membership.map_err(|it| unreadable(index, std::io::Error::other(it)))?;
        let command = Command::Refound {
            survivor: survivor.node,
            next_node: NodeId(cluster.next_node.0.saturating_add(IDS_LEFT_OUT)),
        };
        let envelope = Envelope {
            at: now(),
            entropy: rand::random(),
            submission: Submission::new(OperationId(Uuid::now_v7()), Actor::System, command),
        };
        let envelope = storage::encode(&envelope).map_err(|it| unreadable(index, std::io::Error::other(it)))?;
        let payloads = [
            EntryPayload::Membership(membership),
            EntryPayload::Normal(Proposal(Bytes::from(envelope))),
        ];
        let entries = (index..).zip(payloads).map(|(index, payload)| {
            let entry = Entry {
                log_id: LogId::new_term_index(term, index),
                payload,
            };
            (index, stored::entry(&entry))
        });
        let vote = stored::vote(&Vote::new(term, me));
        let done = log.refound(&entries.collect::<Vec<_>>(), &vote, epoch);
        done.map_err(|source| RecoveryError::Store {
            path: path.clone(),
            source,
        })?;
        Ok(epoch)
    }
}

/// A state machine in memory.
struct Replay {
    state: State,
    membership: StoredMembership,
    last: Option<LogId>,
}

impl Replay {
    fn step(&mut self, entry: Entry) -> Result<(), std::io::Error> {
        let id = entry.log_id;
        self.last = Some(id);
        let effect = effect(&self.state, id, entry.payload).map_err(std::io::Error::other)?;
        if let Some(membership) = effect.membership {
            self.membership = membership;
        }
        self.state.apply(Revision(id.index), effect.at, effect.changes);
        Ok(())
    }
}

type Marks = (Option<LogId>, Option<Vote>, Option<LogId>, Option<LogId>);

fn describe(dir: &DataDir, replay: &Replay, (last, vote, committed, applied): Marks) -> Survivor {
    let identity = dir.identity();
    let membership = replay.membership.membership();
    let point = |id: LogId| Point {
        term: id.leader_id.term,
        index: id.index,
    };
    let members: Vec<Voter> = membership
        .nodes()
        .map(|(id, peer)| Voter {
            id: NodeId(*id),
            name: peer.name.clone(),
            address: peer.address.clone(),
        })
        .collect();
    let own = members.iter().find(|it| it.id == identity.node);
    let known = replay.state.node(identity.node).map(|it| it.name.clone());
    let last = last.map(point).unwrap_or_default();
    Survivor {
        cluster: identity.cluster,
        node: identity.node,
        name: known.or(own.map(|it| it.name.clone())).unwrap_or_default(),
        epoch: dir.epoch(),
        term: vote.map_or(0, |it| it.leader_id().term).max(last.term),
        last,
        // What was applied was committed, and the mark may be older.
        committed: committed.max(applied).map(|it| it.index),
        applied: applied.map(|it| it.index),
        voters: membership
            .get_joint_config()
            .iter()
            .map(|set| set.iter().copied().map(NodeId).collect())
            .collect(),
        members,
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}
