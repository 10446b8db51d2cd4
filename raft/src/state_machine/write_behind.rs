//! The state on disk follows the one in memory a little later, and in large pieces.
//!
//! An entry is safe in the log. That its effect is on disk too lets the log be purged, and leaves a start little to replay:
//! nobody has to wait for it. Most of what one entry changes is changed again by one of the next, so that what is written
//! together, each resource once and in the order of its key, costs a fraction.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::{Change, Key, State};
use storage::{Meta, StorageError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::blocking;
use crate::cluster::Hold;
use crate::ground::StateDisk;
use crate::log_store::io_error;

/// The disk lags behind by this much while entries come; what a start has to replay takes a fraction of it.
const PAUSE: Duration = Duration::from_secs(1);
/// So many changes are not put off any longer: what is written together is in memory as a whole.
const CHANGES: usize = 16_384;
/// So many changes wait for a slow disk before entries have to.
const CHANGES_MAX: usize = 8 * CHANGES;

/// Tells when something is on its way to the disk no more.
pub(super) struct Written(oneshot::Receiver<Result<(), StorageError>>);

impl Written {
    /// Waits for it.
    pub(super) async fn wait(self) -> io::Result<()> {
        self.0.await.map_err(|_| given_up())?.map_err(io_error)
    }

    /// What became of it; `None` as long as nobody knows.
    fn poll(&mut self) -> Option<io::Result<()>> {
        match self.0.try_recv() {
            Ok(result) => Some(result.map_err(io_error)),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(given_up())),
        }
    }
}

fn given_up() -> io::Error {
    io::Error::other("the state on disk is not written any more")
}

/// What is to be written: these resources as they are in this state.
struct Job {
    keys: Vec<Key>,
    state: State,
    meta: Meta,
    done: oneshot::Sender<Result<(), StorageError>>,
}

/// What was changed and is not on its way to the disk yet.
pub(super) struct WriteBehind {
    queue: mpsc::UnboundedSender<Job>,
    changed: Vec<Key>,
    is_behind: bool,
    began: Option<Instant>,
    under_way: Option<Written>,
}

impl WriteBehind {
    /// Begins with a disk that is up to date. Must be called on the runtime that is to write; the `hold` is let go of when
    /// all is written.
    pub(super) fn new(store: Arc<dyn StateDisk>, hold: Hold) -> Self {
        let (queue, jobs) = mpsc::unbounded_channel();
        tokio::spawn(write_all(store, jobs, hold));
        Self {
            queue,
            changed: Vec::new(),
            is_behind: false,
            began: None,
            under_way: None,
        }
    }

    /// An entry was applied, and has changed this.
    pub(super) fn note(&mut self, changes: &[Change]) {
        self.changed.extend(changes.iter().map(Change::key));
        self.is_behind = true;
    }

    /// Whether there is something to write.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Writes if it is time to. The error is that of an earlier attempt.
    pub(super) async fn keep_up(&mut self, state: &State, meta: impl FnOnce() -> Meta) -> io::Result<()> {
        if let Some(mut written) = self.under_way.take() {
            match written.poll() {
                Some(result) => result?,
                None if self.changed.len() < CHANGES_MAX => {
                    self.under_way = Some(written);
                    return Ok(());
                }
                None => written.wait().await?,
            }
        }
        let is_due = self.changed.len() >= CHANGES || self.began.is_none_or(|it| it.elapsed() >= PAUSE);
        if self.is_behind && is_due {
            self.under_way = Some(self.write(state, meta()));
        }
        Ok(())
    }

    /// Has all that was noted written, after what is being written already.
    pub(super) fn write(&mut self, state: &State, meta: Meta) -> Written {
        let (done, written) = oneshot::channel();
        // Nobody takes it after an attempt has failed, which shows when the result is asked for.
        let _ = self.queue.send(Job {
            keys: std::mem::take(&mut self.changed),
            state: state.clone(),
            meta,
            done,
        });
        self.is_behind = false;
        self.began = Some(Instant::now());
        Written(written)
    }
}

/// Writes one job after the other. Ends after one that failed: later ones rest on it.
async fn write_all(store: Arc<dyn StateDisk>, mut jobs: mpsc::UnboundedReceiver<Job>, hold: Hold) {
    while let Some(Job {
        mut keys,
        state,
        meta,
        done,
    }) = jobs.recv().await
    {
        let store = store.clone();
        let work = move || {
            keys.sort_unstable();
            keys.dedup();
            store.write(&keys, &state, &meta)
        };
        let Ok(result) = blocking::run(work).await else { break };
        let error = result.as_ref().err().map(ToString::to_string);
        if let (Err(_), Some(error)) = (done.send(result), &error) {
            tracing::error!(error, "cannot write the state");
        }
        if error.is_some() {
            break;
        }
    }
    // Whoever waits for the stores to be closed is told after this one is.
    drop(store);
    drop(hold);
}

#[cfg(test)]
mod tests;
