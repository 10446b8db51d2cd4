//! The change feed.

use std::sync::Arc;

use model::{Change, State};
use thiserror::Error;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What the entries applied together have changed. Both states are O(1) snapshots: who follows a change to what it
/// reaches needs the one before too, since a deleted thing is found only there.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Before the first of them.
    pub before: State,
    /// After the last of them.
    pub after: State,
    /// In order. Never empty; records of operations are left out.
    pub changes: Arc<[Change]>,
}

/// What a watcher is told. Revisions only ever grow.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly every event is a batch of changes")]
pub enum Event {
    /// These entries have been applied.
    Changes(Batch),
    /// Some changes were missed, or the whole state was replaced: read it again.
    Relist,
}

/// The node has stopped; there will be no more events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the node has stopped")]
pub struct WatchClosed;

/// A subscription to the change feed. Who takes this and then reads a state misses nothing: what comes next is newer
/// than that state or part of it already.
#[derive(Debug)]
pub struct Watch(broadcast::Receiver<Event>);

impl Watch {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self(receiver)
    }

    /// The next event. Cancel-safe. A watcher that was too slow gets [`Event::Relist`] and goes on from there.
    pub async fn next(&mut self) -> Result<Event, WatchClosed> {
        match self.0.recv().await {
            Ok(event) => Ok(event),
            Err(RecvError::Lagged(_)) => {
                self.0 = self.0.resubscribe();
                Ok(Event::Relist)
            }
            Err(RecvError::Closed) => Err(WatchClosed),
        }
    }

    /// Waits until something changed, and drops what has piled up. For loops that read everything again anyway.
    pub async fn changed(&mut self) -> Result<(), WatchClosed> {
        self.next().await?;
        self.0 = self.0.resubscribe();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::{Revision, Timestamp};

    use super::*;

    fn batch(revision: u64) -> Event {
        let after = State::from_resources(Revision(revision), Timestamp(0), []);
        Event::Changes(Batch {
            before: State::default(),
            after,
            changes: Arc::from([]),
        })
    }

    #[tokio::test]
    async fn a_slow_watcher_is_told_to_list_again() {
        let (feed, receiver) = broadcast::channel(2);
        let mut watch = Watch::new(receiver);
        for revision in 1..=5 {
            assert!(feed.send(batch(revision)).is_ok());
        }
        assert_eq!(watch.next().await, Ok(Event::Relist));
        assert!(feed.send(batch(6)).is_ok());
        assert_eq!(watch.next().await, Ok(batch(6)));
        drop(feed);
        assert_eq!(watch.next().await, Err(WatchClosed));
    }
}
