//! Ending a node so that its folder can be used again.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use storage::DataDir;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::types::Raft;

/// How long each step of stopping may take.
const STEP_LIMIT: Duration = Duration::from_secs(5);

/// Held by everything that keeps a store open.
pub(crate) type Hold = mpsc::Sender<Infallible>;

/// What keeps a node going, and ends it.
pub(super) struct Lifeline {
    handle: Handle,
    raft: Raft,
    stop: CancellationToken,
    tasks: TaskTracker,
    rest: Mutex<Rest>,
}

/// What is let go of last.
#[derive(Default)]
struct Rest {
    runtime: Option<Runtime>,
    dir: Option<DataDir>,
    closed: Option<mpsc::Receiver<Infallible>>,
}

impl Lifeline {
    /// Must be called on the node's own runtime. `closed` ends when the stores are closed.
    pub(super) fn new(raft: Raft, stop: CancellationToken, dir: DataDir, closed: mpsc::Receiver<Infallible>) -> Self {
        let rest = Rest {
            runtime: None,
            dir: Some(dir),
            closed: Some(closed),
        };
        Self {
            handle: Handle::current(),
            raft,
            stop,
            tasks: TaskTracker::new(),
            rest: Mutex::new(rest),
        }
    }

    /// Keeps the runtime until the node is stopped.
    pub(super) fn keep(&self, runtime: Runtime) {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).runtime = Some(runtime);
    }

    /// Runs a task on the node's own threads.
    pub(super) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tasks.spawn_on(task, &self.handle)
    }

    /// Stops everything and gives the folder free. A second call does nothing.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let mut rest = std::mem::take(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner));
        let raft = self.raft.clone();
        step("consensus", async move { drop(raft.shutdown().await) }).await;
        self.tasks.close();
        step("the tasks", self.tasks.wait()).await;
        if let Some(mut closed) = rest.closed.take() {
            step("the stores", async move { while closed.recv().await.is_some() {} }).await;
        }
        // Gives the folder free, and then ends the threads.
        drop(rest.dir.take());
        drop(rest);
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        // A runtime must not be dropped on a thread that may not block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn step(what: &str, ending: impl Future<Output = ()>) {
    if tokio::time::timeout(STEP_LIMIT, ending).await.is_err() {
        tracing::error!(what, "did not stop in time; going on without");
    }
}
