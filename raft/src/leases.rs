//! Who is alive, in the leader's memory. Nothing of this passes through the log: only verdicts do.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use model::NodeId;
use uuid::Uuid;

/// The last sign of life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// When its last heartbeat came.
    pub renewed: Instant,
    /// With which boot id.
    pub boot: Uuid,
    /// Whether its disk is full.
    pub full: bool,
}

/// What this leader has heard since it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leases {
    /// Since when this node leads. A node that has not been heard of since then gets a whole lease from here on.
    pub leading_since: Instant,
    /// In which term.
    pub term: u64,
    /// Who led before, and when this node last had word from it.
    pub predecessor: Option<(NodeId, Instant)>,
    /// The nodes heard of since then, this one included.
    pub by_node: BTreeMap<NodeId, Lease>,
}

/// Collects heartbeats while this node leads.
#[derive(Debug, Default)]
pub(crate) struct LeaseBook(Mutex<Option<Leases>>);

impl LeaseBook {
    /// This node leads from now on: forget what an earlier term has heard.
    pub(crate) fn begin(&self, term: u64, now: Instant, predecessor: Option<(NodeId, Instant)>) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if book.as_ref().is_none_or(|leases| leases.term != term) {
            *book = Some(Leases {
                leading_since: now,
                term,
                predecessor,
                by_node: BTreeMap::new(),
            });
        }
    }

    /// This node leads no longer.
    pub(crate) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes a heartbeat. False if this node does not lead.
    pub(crate) fn renew(&self, node: NodeId, lease: Lease) -> bool {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(leases) = book.as_mut() else { return false };
        leases.by_node.insert(node, lease);
        true
    }

    /// A copy of the book, if this node leads.
    pub(crate) fn read(&self) -> Option<Leases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_term_starts_an_empty_book() {
        let book = LeaseBook::default();
        let now = Instant::now();
        let lease = Lease {
            renewed: now,
            boot: Uuid::nil(),
            full: false,
        };
        assert!(!book.renew(NodeId(2), lease), "a follower takes no heartbeats");
        book.begin(3, now, None);
        assert!(book.renew(NodeId(2), lease));
        book.begin(3, now, None);
        assert_eq!(book.read().map(|it| it.by_node.len()), Some(1), "the same term goes on");
        book.begin(4, now, None);
        assert_eq!(book.read().map(|it| it.by_node.len()), Some(0));
        book.end();
        assert_eq!(book.read(), None);
    }
}
