//! openraft's view of [`storage::LogStore`].

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::vote::{RaftLeaderId as _, RaftVote as _};
use openraft::{OptionalSend, RaftLogReader};
use storage::StorageError;
use tokio::sync::oneshot;

use crate::cluster::Hold;
use crate::gaps::Gaps;
use crate::ground::LogDisk;
use crate::stored;
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// The raft log of this node; clones are readers of the same log.
#[derive(Clone)]
pub(crate) struct RaftLog {
    store: Arc<dyn LogDisk>,
    /// Whose log it is.
    node: u64,
    gaps: Gaps,
    /// Whether a vote was cast since this node started.
    voted: Arc<AtomicBool>,
    #[expect(dead_code, reason = "its drop tells")]
    hold: Hold,
}

impl RaftLog {
    pub(crate) fn new(node: u64, store: Arc<dyn LogDisk>, hold: Hold) -> Self {
        Self {
            store,
            node,
            gaps: Gaps::default(),
            voted: Arc::default(),
            hold,
        }
    }

    /// Tells the connections to peers of entries that were purged too early.
    pub(crate) fn telling(self, gaps: Gaps) -> Self {
        Self { gaps, ..self }
    }
}

impl RaftLogReader<TypeConfig> for RaftLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let entries = self.store.read(half_open(&range)).map_err(io_error)?;
        entries.iter().map(|bytes| stored::read_entry(bytes)).collect()
    }

    /// For replication. Entries may have been purged since it was decided to send them: what is left would leave a hole in
    /// the log of the peer, so nothing is handed out, and the stream to the peer ends (see [`Gaps`]).
    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        let entries = self.try_get_log_entries(start..end).await?;
        let follows = entries.first().is_some_and(|it| it.log_id.index == start);
        if !follows {
            self.gaps.note();
            return Ok(Vec::new());
        }
        Ok(entries)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        let vote = self.store.vote().map(|bytes| stored::read_vote(&bytes)).transpose()?;
        // What a leader sent to others before it had it on its own disk is gone with its process. If it went on in its
        // old term, it would give the same index and term to something else, and the others would never notice: a node
        // that starts leads nobody until it is elected anew. Who else led is worth knowing: a node that has moved tells
        // the leader where it is now.
        Ok(vote.map(|vote| {
            let led = *vote.leader_id().node_id() == self.node && !self.voted.load(Ordering::SeqCst);
            Vote::from_leader_id(*vote.leader_id(), vote.is_committed() && !led)
        }))
    }
}

impl RaftLogStorage<TypeConfig> for RaftLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let bounds = self.store.bounds().map_err(io_error)?;
        let purged = bounds
            .purged
            .map(|(_, record)| stored::read_log_id(&record))
            .transpose()?;
        let last = bounds
            .last
            .map(|(_, bytes)| stored::read_entry(&bytes).map(|it| it.log_id))
            .transpose()?;
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: last.or(purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (sender, receiver) = oneshot::channel();
        // The receiver is gone only if this call was given up; then nobody counts on the vote.
        self.store
            .save_vote(stored::vote(vote), Box::new(move |result| drop(sender.send(result))));
        receiver.await.map_err(io::Error::other)?.map_err(io_error)?;
        self.voted.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.store.save_committed(committed.as_ref().map(stored::log_id));
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        self.store
            .committed()
            .map(|bytes| stored::read_log_id(&bytes))
            .transpose()
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries
            .into_iter()
            .map(|entry| (entry.log_id.index, stored::entry(&entry)))
            .collect();
        self.store.append(
            entries,
            Box::new(move |result| callback.io_completed(result.map_err(io_error))),
        );
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        self.store.truncate_from(last_log_id.map_or(0, |it| it.index + 1));
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.store.purge(log_id.index, stored::log_id(&log_id));
        Ok(())
    }
}

/// openraft knows I/O errors only; ours stays inside with all its causes.
pub(crate) fn io_error(error: StorageError) -> io::Error {
    io::Error::other(error)
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}
