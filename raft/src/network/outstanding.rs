//! The requests of a replication stream that have no answer yet, and which answers openraft may see.
//!
//! openraft stamps a request when it makes it, and takes an answer that acknowledges entries for the answer to the newest
//! request that has no entries beyond those. A request without entries, which only tells how far the log is committed, may
//! have been made long after the answer was sent: a leader that was stopped for a while would find answers from before
//! in its sockets, take them for answers to what it makes now, and believe that it still leads. So an answer is only
//! handed out when no request without entries is behind it, and none is made while openraft looks at it: of those
//! that follow, the last answer says it all.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};

/// What a request tells of itself.
pub(super) trait Entries {
    /// Whether it has none.
    fn are_none(&self) -> bool;
}

/// Shared by both directions of a stream.
#[derive(Clone, Default)]
pub(super) struct Outstanding(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// When each was made, and whether it has no entries; oldest first.
    requests: VecDeque<(Instant, bool)>,
    /// openraft looks at an answer.
    is_looking: bool,
    /// Who waits to make the next request.
    waiting: Option<Waker>,
}

impl Outstanding {
    /// The requests of `input`, noted as they are made.
    pub(super) fn requests<S: Stream + Unpin>(&self, input: S) -> Requests<S> {
        Requests {
            input,
            outstanding: self.clone(),
        }
    }

    /// The oldest request is answered. Whether the answer may be handed out; if so, nothing is made until
    /// [`Outstanding::seen`].
    pub(super) fn answered(&self) -> bool {
        let mut state = self.state();
        state.requests.pop_front();
        state.is_looking = !state.requests.front().is_some_and(|(_, is_bare)| *is_bare);
        state.is_looking
    }

    /// openraft has seen what was handed out.
    pub(super) fn seen(&self) {
        let mut state = self.state();
        state.is_looking = false;
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    /// How long the oldest answer may still take; `limit` if none is due.
    pub(super) fn time_left(&self, limit: Duration) -> Duration {
        let oldest = self.state().requests.front().map(|(made, _)| *made);
        oldest.map_or(limit, |made| limit.saturating_sub(made.elapsed()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Outstanding::requests`].
pub(super) struct Requests<S> {
    input: S,
    outstanding: Outstanding,
}

impl<S> Stream for Requests<S>
where
    S: Stream + Unpin,
    S::Item: Entries,
{
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let outstanding = self.outstanding.clone();
        // Held while a request is made, so that it is either seen by who looks for requests behind an answer, or made later.
        let mut state = outstanding.state();
        if state.is_looking {
            state.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        let made = self.input.poll_next_unpin(context);
        if let Poll::Ready(Some(request)) = &made {
            state.requests.push_back((Instant::now(), request.are_none()));
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::stream::iter;

    use super::*;

    impl Entries for usize {
        fn are_none(&self) -> bool {
            *self == 0
        }
    }

    #[test]
    fn an_answer_is_kept_back_while_a_request_without_entries_is_behind_it() {
        let outstanding = Outstanding::default();
        let mut requests = outstanding.requests(iter([3, 0, 0, 2]));
        let mut make = || requests.next().now_or_never().flatten();
        assert_eq!((make(), make(), make(), make()), (Some(3), Some(0), Some(0), Some(2)));
        assert!(
            !outstanding.answered(),
            "the answer to the first would do for the second and third"
        );
        assert!(!outstanding.answered());
        assert!(outstanding.answered(), "what is behind it has entries of its own");
        outstanding.seen();
        assert!(outstanding.answered());
    }

    #[test]
    fn no_request_is_made_while_an_answer_is_looked_at() {
        let outstanding = Outstanding::default();
        let mut requests = outstanding.requests(iter([1, 0]));
        assert_eq!(requests.next().now_or_never(), Some(Some(1)));
        assert!(outstanding.answered());
        assert_eq!(requests.next().now_or_never(), None);
        outstanding.seen();
        assert_eq!(requests.next().now_or_never(), Some(Some(0)));
    }
}
