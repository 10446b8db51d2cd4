//! The newest entries in memory.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Entries kept in memory after they were written, for peers that are nearly up to date.
const KEEP_ENTRIES: usize = 4_096;
/// And at most this many bytes of them.
const KEEP_BYTES: usize = 16 << 20;

/// The newest entries, without gaps: all that are not yet written, and some that are.
#[derive(Default)]
pub(super) struct Tail {
    first: u64,
    entries: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Tail {
    /// An empty tail that goes on at `index`.
    pub(super) fn starting_at(index: u64) -> Self {
        Self {
            first: index,
            ..Self::default()
        }
    }

    /// The index of the first entry in memory, or of the next one to come.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Adds the next entry.
    pub(super) fn push(&mut self, index: u64, bytes: Arc<[u8]>) {
        if self.entries.is_empty() {
            self.first = index;
        }
        debug_assert_eq!(index, self.end(), "log entries have no gaps");
        self.bytes += bytes.len();
        self.entries.push_back(bytes);
    }

    /// The entries of a range that lies within.
    pub(super) fn read(&self, range: Range<u64>) -> Vec<Arc<[u8]>> {
        let at = |index: u64| usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let end = at(range.end).min(self.entries.len());
        self.entries.range(at(range.start).min(end)..end).cloned().collect()
    }

    /// Drops the entries from `index` on.
    pub(super) fn truncate_from(&mut self, index: u64) {
        while self.end() > index
            && let Some(dropped) = self.entries.pop_back()
        {
            self.bytes -= dropped.len();
        }
        if self.entries.is_empty() {
            self.first = index.min(self.first);
        }
    }

    /// Drops the entries up to and including `index`.
    pub(super) fn purge_to(&mut self, index: u64) {
        while self.first <= index && self.pop_front() {}
        self.first = self.first.max(index + 1);
    }

    /// Drops entries up to and including `index`, which are on disk, as far as there are too many.
    pub(super) fn evict_to(&mut self, index: u64) {
        while self.first <= index && (self.entries.len() > KEEP_ENTRIES || self.bytes > KEEP_BYTES) && self.pop_front()
        {
        }
    }

    fn pop_front(&mut self) -> bool {
        let Some(dropped) = self.entries.pop_front() else {
            return false;
        };
        self.bytes -= dropped.len();
        self.first += 1;
        true
    }
}
