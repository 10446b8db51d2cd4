//! Linearizable reads: many readers, one question to the leader.

mod leader;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::State;
use openraft::LinearizerOption;
use openraft::errors::{LinearizableReadError, RaftError};
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::leader::ToLeader;
use crate::cluster::Core;
use crate::slept::Slept;
use crate::types::TypeConfig;
use crate::unled::NO_LEADER;
use crate::{READ_LEASE_MAX, Unavailable, propose};

/// The index of an entry, or why it cannot be told.
type Round = Result<u64, Unavailable>;

/// How long one question may take. Whoever asked asks again while there is time left.
const ROUND_LIMIT: Duration = Duration::from_secs(1);

/// Answers many questions at once: all that have come when a round begins get the answer of that round. One that comes
/// later must wait for the next, because the answer may have been true only before it was asked.
#[derive(Clone)]
pub(crate) struct Rounds(mpsc::UnboundedSender<oneshot::Sender<Round>>);

/// The questions of a [`Rounds`].
pub(crate) struct Questions(mpsc::UnboundedReceiver<oneshot::Sender<Round>>);

impl Rounds {
    pub(crate) fn new() -> (Self, Questions) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Questions(receiver))
    }

    /// The answer of a round that begins after this call.
    pub(crate) async fn ask(&self) -> Round {
        let (sender, answer) = oneshot::channel();
        let stopping = || Unavailable("this node is stopping".to_owned());
        self.0.send(sender).map_err(|_| stopping())?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }
}

impl Questions {
    /// Holds rounds until nobody can ask any more.
    pub(crate) async fn answer<F: Future<Output = Round>>(mut self, round: impl Fn() -> F) {
        let mut waiting = Vec::new();
        while self.0.recv_many(&mut waiting, usize::MAX).await > 0 {
            let limited = tokio::time::timeout(ROUND_LIMIT, round()).await;
            let answer = limited.unwrap_or_else(|_| Err(Unavailable("the leader does not answer in time".to_owned())));
            for reader in waiting.drain(..) {
                // A reader that gave up is gone.
                let _ = reader.send(answer.clone());
            }
        }
    }
}

impl Core {
    /// See [`crate::Cluster::read`].
    pub(crate) async fn read(&self) -> Result<State, Unavailable> {
        let deadline = Instant::now() + self.timing.read;
        let mut leadership = self.leadership.clone();
        loop {
            // Where this node leads, its readers need no round of their own before that of all nodes.
            let rounds = match leadership.borrow_and_update().is_self {
                true => &self.leader_reads,
                false => &self.reads,
            };
            let reason = match rounds.ask().await {
                Ok(index) if self.wait_applied(index, deadline).await => return Ok(self.published.state()),
                Ok(index) => Unavailable(format!("this node has not yet received entry {index}")),
                Err(reason) => reason,
            };
            if self.stop.is_cancelled() || !propose::pause(&mut leadership, deadline).await {
                return Err(Unavailable(self.unled(&reason.0)));
            }
        }
    }

    /// One question for all readers of this node, which may have begun to lead meanwhile.
    pub(crate) async fn read_round(self: Arc<Self>) -> Round {
        let seen = *self.leadership.borrow();
        let round = async {
            match seen.leader {
                Some(_) if seen.is_self => self.leader_reads.ask().await,
                Some(leader) => self.ask_leader(leader.0).await,
                None => Err(Unavailable(NO_LEADER.to_owned())),
            }
        };
        // A leader whose host is gone answers nothing, and its successor can be asked at once.
        tokio::select! {
            answer = round => answer,
            () = propose::replaced(self.leadership.clone(), seen) => Err(Unavailable("the leader has changed".to_owned())),
        }
    }

    /// One question for all readers of all nodes, if this one leads.
    pub(crate) async fn leader_round(self: Arc<Self>) -> Round {
        let slept = Slept::by_now();
        let lease = if self.awake.is_over(slept) {
            Duration::ZERO
        } else {
            self.timing.read_lease.min(READ_LEASE_MAX)
        };
        // Without a lease, or once it is over, a majority is asked at once instead of with the next heartbeat.
        let majority = LinearizerOption::new(Some(lease), true);
        let read = self.raft.get_read_log_id(majority).await;
        let (read, _) = read.map_err(|error| self.unconfirmed(&error))?;
        if lease.is_zero() {
            self.awake.note(slept);
        } else if self.awake.is_over(Slept::by_now()) {
            return Err(Unavailable("this host was suspended meanwhile".to_owned()));
        }
        Ok(read.index())
    }

    fn unconfirmed(&self, error: &RaftError<TypeConfig, LinearizableReadError<TypeConfig>>) -> Unavailable {
        match error {
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(few)) => {
                let voters = self.metrics().membership_config.voter_ids().count();
                let got = few.got.len();
                Unavailable(format!(
                    "node {}, which leads, hears from {got} of {voters} voters, itself among them",
                    self.node
                ))
            }
            other => Unavailable(other.to_string()),
        }
    }

    /// Waits until this node has applied an entry. False if it has not by then.
    pub(crate) async fn wait_applied(&self, index: u64, deadline: Instant) -> bool {
        let reached = self.published.progress().reach(index);
        tokio::time::timeout_at(deadline.into(), reached).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn readers_that_wait_share_the_next_round_and_never_the_running_one() {
        let (rounds, questions) = Rounds::new();
        let (begun, go_on) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let (counter, gate) = (begun.clone(), go_on.clone());
        let answering = tokio::spawn(questions.answer(move || {
            let round = counter.fetch_add(1, Ordering::SeqCst);
            let gate = gate.clone();
            async move {
                gate.acquire().await.map_err(|it| Unavailable(it.to_string()))?.forget();
                Ok(round)
            }
        }));
        let first = tokio::spawn({
            let rounds = rounds.clone();
            async move { rounds.ask().await }
        });
        while begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let later = futures::future::join_all((0..50).map(|_| rounds.ask()));
        let release = async { go_on.add_permits(2) };
        let (answers, ()) = tokio::join!(later, release);
        assert_eq!(first.await.ok(), Some(Ok(0)));
        assert!(answers.iter().all(|it| *it == Ok(1)), "{answers:?}");
        drop(rounds);
        assert!(answering.await.is_ok(), "it ends when nobody can ask");
    }
}
