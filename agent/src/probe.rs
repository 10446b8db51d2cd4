//! Whether containers answer on their ports: often while they start, once a second afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use model::ReplicaId;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const STEADY_PAUSE: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(1);
/// So many failures in a row take a container that answered out of service.
const THRESHOLD: u32 = 3;

/// A container began to answer, or stopped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub replica: ReplicaId,
    /// Which start of the replica was asked.
    pub restarts: u32,
    pub answers: bool,
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
    /// `running` says that the container was found running, so that it is judged by a few answers at once.
    pub(crate) fn start(
        replica: ReplicaId,
        restarts: u32,
        target: SocketAddr,
        running: bool,
        turns: mpsc::Sender<Turn>,
    ) -> Self {
        let task = tokio::spawn(async move {
            let mut judge = Judge::new(running);
            loop {
                let accepted = matches!(timeout(CONNECT, TcpStream::connect(target)).await, Ok(Ok(_)));
                if let Some(answers) = judge.take(accepted)
                    && turns
                        .send(Turn {
                            replica,
                            restarts,
                            answers,
                        })
                        .await
                        .is_err()
                {
                    return;
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

/// Turns single answers into verdicts.
#[derive(Debug)]
struct Judge {
    /// The last verdict; none yet for a container whose state is not known.
    verdict: Option<bool>,
    failures: u32,
    pause: Duration,
}

impl Judge {
    fn new(running: bool) -> Self {
        Self {
            verdict: if running { None } else { Some(false) },
            failures: 0,
            pause: FIRST_PAUSE,
        }
    }

    /// Takes one answer; tells the new verdict if there is one.
    fn take(&mut self, accepted: bool) -> Option<bool> {
        self.failures = if accepted { 0 } else { self.failures.saturating_add(1) };
        self.pause = if accepted || self.verdict != Some(false) {
            STEADY_PAUSE
        } else {
            (self.pause * 3 / 2).min(LONGEST_PAUSE)
        };
        let verdict = match (accepted, self.verdict) {
            (true, _) => true,
            (false, Some(false)) => false,
            (false, _) if self.failures >= THRESHOLD => false,
            (false, _) => return None,
        };
        let turned = self.verdict != Some(verdict);
        self.verdict = Some(verdict);
        turned.then_some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starting_container_is_ready_with_its_first_answer_and_lost_after_three_failures() {
        let mut judge = Judge::new(false);
        let answers = [
            false, false, true, true, false, false, true, false, false, false, false, true,
        ];
        let turns: Vec<_> = answers.into_iter().map(|it| judge.take(it)).collect();
        let mut wanted = [None; 12];
        (wanted[2], wanted[9], wanted[11]) = (Some(true), Some(false), Some(true));
        assert_eq!(turns, wanted);
    }

    #[test]
    fn a_container_found_running_is_judged_by_itself() {
        assert_eq!(Judge::new(true).take(true), Some(true));
        let mut judge = Judge::new(true);
        assert_eq!(
            [judge.take(false), judge.take(false), judge.take(false)],
            [None, None, Some(false)]
        );
    }

    #[test]
    fn pauses_grow_while_nothing_answers() {
        let mut judge = Judge::new(false);
        let pauses: Vec<_> = (0..12)
            .map(|_| (judge.take(false), judge.pause.as_millis()).1)
            .collect();
        assert_eq!((pauses[0], pauses[11]), (30, 500));
        judge.take(true);
        assert_eq!(judge.pause, STEADY_PAUSE);
    }
}
