//! What the state machine shows to the rest of the node: the state, how far it is, and what has changed.

mod progress;

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{Change, Key, Resource, State};
use tokio::sync::broadcast;

pub(crate) use self::progress::Progress;
use crate::{Batch, Event, Watch};

/// Whether watchers are told of a change. Records of results are nobody's business, and rejected commands must not wake
/// those who wait for a change in order to try again.
pub(crate) fn is_told(change: &Change) -> bool {
    !matches!(
        change,
        Change::Put(Resource::Operation(_) | Resource::Quota(_)) | Change::Delete(Key::Operation(_))
    )
}

/// Written by the state machine only, in this order: the state, then how far it is, then what has changed.
pub(crate) struct Published {
    state: ArcSwap<State>,
    progress: Progress,
    feed: broadcast::Sender<Event>,
}

impl Published {
    /// Starts from a state as it was loaded. `buffer` is how many events a watcher may lag behind.
    pub(crate) fn new(state: State, applied: Option<u64>, buffer: usize) -> Self {
        Self {
            state: ArcSwap::from_pointee(state),
            progress: Progress::at(applied),
            feed: broadcast::Sender::new(buffer.max(1)),
        }
    }

    /// The newest state.
    pub(crate) fn state(&self) -> State {
        State::clone(&self.state.load())
    }

    /// How far the state is.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.feed.subscribe())
    }

    /// Shows a state after entries up to `applied`, and those of their changes that watchers are told of.
    pub(crate) fn advance(&self, state: State, applied: u64, changes: Vec<Change>) {
        let before = self.state();
        self.show(state.clone(), applied);
        if !changes.is_empty() {
            // An error means that nobody watches.
            let _ = self.feed.send(Event::Changes(Batch {
                before,
                after: state,
                changes: changes.into(),
            }));
        }
    }

    /// Shows a state that came from elsewhere.
    pub(crate) fn replace(&self, state: State, applied: u64) {
        self.show(state, applied);
        let _ = self.feed.send(Event::Relist);
    }

    fn show(&self, state: State, applied: u64) {
        self.state.store(Arc::new(state));
        self.progress.advance(applied);
    }
}
