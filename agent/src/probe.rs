//! Whether containers are fit for requests: often while they start, at the service's own interval afterwards.

mod ask;
mod judge;
mod words;

use std::time::Duration;

use model::{HealthCheck, Reason, ReplicaId};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use ask::Answer;
pub(crate) use ask::Asked;
use judge::{Judge, Turned};

/// A container became fit for requests, or ceased to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub replica: ReplicaId,
    /// Which start of the replica was asked.
    pub restarts: u32,
    pub verdict: Verdict,
}

/// How a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is fit.
    Fit,
    /// It was, and is not now.
    Unfit(Reason),
    /// It has not been for so long that it is to be started again.
    Failed(Reason),
}

/// What is known of a container when its checks begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// It was just started.
    Started,
    /// It was found running, and called fit before that.
    Fit,
}

/// Asks one container until it is dropped.
#[derive(Debug)]
pub(crate) struct Probe {
    pub restarts: u32,
    task: AbortHandle,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probe {
    /// Asks `asked` as `check` says.
    pub(crate) fn start(
        replica: ReplicaId,
        restarts: u32,
        before: Before,
        check: HealthCheck,
        asked: Asked,
        turns: mpsc::Sender<Turn>,
    ) -> Self {
        let task = tokio::spawn(async move {
            let mut judge = Judge::new(&check, before);
            let (begun, mut was_fit) = (Instant::now(), before == Before::Fit);
            let limit = Duration::from_secs(check.timeout_seconds.into());
            loop {
                let age = begun.elapsed();
                let (fit, got) = match asked.ask(limit).await {
                    Answer::Fit => (true, String::new()),
                    Answer::Unfit(got) => (false, got),
                    // Of a container that cannot be asked nothing is said.
                    Answer::Unknown => {
                        sleep(judge.pause).await;
                        continue;
                    }
                };
                let turned = judge.take(fit, age);
                was_fit |= turned == Some(Turned::Fit);
                let why = || words::reason(&asked, &got, was_fit, begun.elapsed());
                let verdict = turned.map(|turned| match turned {
                    Turned::Fit => Verdict::Fit,
                    Turned::Unfit => Verdict::Unfit(why()),
                    Turned::Failed => Verdict::Failed(why()),
                });
                if let Some(verdict) = verdict {
                    let turn = Turn {
                        replica,
                        restarts,
                        verdict,
                    };
                    if turns.send(turn).await.is_err() {
                        return;
                    }
                }
                sleep(judge.pause).await;
            }
        });
        Self {
            restarts,
            task: task.abort_handle(),
        }
    }
}
