//! Writes and requests that go on in the background while a host is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::client::Client;

/// Between two attempts of one client.
const PACE: Duration = Duration::from_millis(20);
/// After which a client gives an attempt up.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(5);

/// Clients that repeat one request until told to stop.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Tally>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// All attempts.
    pub sent: u64,
    /// Those that brought no good answer.
    pub failed: u64,
    /// The longest time between two good answers.
    pub longest_gap: Duration,
    /// When the last good answer came.
    pub last_good: Instant,
    /// What the last bad one said.
    pub last_error: String,
}

impl Load {
    /// Changes the name of a project over and over, through `api`.
    pub(super) fn writes(api: Client, project: &str) -> Self {
        Self::start(Attempt::Write {
            api,
            path: format!("/api/projects/{project}/"),
        })
    }

    /// Asks the service behind `hostname` over and over, through `proxy`.
    pub(super) fn requests(proxy: Client, hostname: &'static str) -> Self {
        Self::start(Attempt::Request { proxy, hostname })
    }

    fn start(attempt: Attempt) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut tally = Tally {
                sent: 0,
                failed: 0,
                longest_gap: Duration::ZERO,
                last_good: Instant::now(),
                last_error: String::new(),
            };
            while !stopped.load(Ordering::Relaxed) {
                tally.sent += 1;
                match attempt.send(tally.sent).await {
                    Ok(()) => {
                        tally.longest_gap = tally.longest_gap.max(tally.last_good.elapsed());
                        tally.last_good = Instant::now();
                    }
                    Err(error) => {
                        tally.failed += 1;
                        tally.last_error = error;
                    }
                }
                sleep(PACE).await;
            }
            tally.longest_gap = tally.longest_gap.max(tally.last_good.elapsed());
            tally
        });
        Self { stop, task }
    }

    /// Ends it and gives the tally; `None` if the task broke.
    pub(super) async fn finish(self) -> Option<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.ok()
    }
}

/// What is repeated.
enum Attempt {
    Write { api: Client, path: String },
    Request { proxy: Client, hostname: &'static str },
}

impl Attempt {
    async fn send(&self, number: u64) -> Result<(), String> {
        let answer = match self {
            Self::Write { api, path } => {
                let body = json!({"name": format!("write {number}")});
                api.send(Method::PATCH, path, &[], Some(&body), ATTEMPT_DEADLINE).await
            }
            Self::Request { proxy, hostname } => {
                proxy
                    .send(Method::GET, "/load", &[("Host", hostname)], None, ATTEMPT_DEADLINE)
                    .await
            }
        };
        match answer {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => Err(format!("{}: {}", answer.status, answer.body.trim())),
            Err(error) => Err(error.to_string()),
        }
    }
}
