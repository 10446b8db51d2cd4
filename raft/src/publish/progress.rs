//! How far this node has applied the log, and who waits for which entry.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How far this node has applied the log. Progress wakes those whose entry is reached and nobody else.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Reached>);

#[derive(Debug, Default)]
struct Reached {
    applied: Option<u64>,
    waiting: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
}

impl Progress {
    pub(super) fn at(applied: Option<u64>) -> Self {
        let waiting = BTreeMap::new();
        Self(Mutex::new(Reached { applied, waiting }))
    }

    /// Notes that the entries up to `applied` are applied and can be seen.
    pub(super) fn advance(&self, applied: u64) {
        let done = {
            let mut reached = self.lock();
            reached.applied = Some(applied);
            let later = reached.waiting.split_off(&applied.saturating_add(1));
            std::mem::replace(&mut reached.waiting, later)
        };
        for waiting in done.into_values().flatten() {
            // Whoever waited may have given up.
            let _ = waiting.send(());
        }
    }

    /// Resolves once the entry is applied.
    pub(crate) async fn reach(&self, index: u64) {
        let reached = {
            let mut reached = self.lock();
            if reached.applied.is_some_and(|it| it >= index) {
                return;
            }
            let (sender, receiver) = oneshot::channel();
            reached.waiting.entry(index).or_default().push(sender);
            receiver
        };
        if reached.await.is_err() {
            // The node is gone, and who waits with it.
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn each_waits_for_its_own_entry() {
        let progress = Progress::at(None);
        let (mut first, mut third) = (Box::pin(progress.reach(0)), Box::pin(progress.reach(2)));
        assert_eq!(first.as_mut().now_or_never(), None);
        assert_eq!(third.as_mut().now_or_never(), None);
        progress.advance(1);
        assert_eq!(first.as_mut().now_or_never(), Some(()));
        assert_eq!(third.as_mut().now_or_never(), None);
        progress.advance(2);
        assert_eq!(third.as_mut().now_or_never(), Some(()));
        assert_eq!(progress.reach(1).now_or_never(), Some(()), "it is past");
    }
}
