//! Commands that are proposed at the same time go into the log together.
//!
//! What a batch costs (messages, wake-ups, an fsync on every voter) hardly depends on how many commands are in it. So only
//! one is under way at a time, and whatever comes meanwhile makes up the next: alone, a command waits for nobody; in a
//! crowd, batches become as large as the crowd.

use std::mem;

use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};

use crate::types::{Proposal, Raft, Written};

/// Commands in one batch at most.
const BATCH: usize = 512;

struct Proposed {
    command: Proposal,
    answer: oneshot::Sender<Written>,
}

/// Where commands are handed in.
#[derive(Clone)]
pub(crate) struct Proposals(mpsc::UnboundedSender<Proposed>);

/// The commands that were handed in.
pub(crate) struct Queue(mpsc::UnboundedReceiver<Proposed>);

impl Proposals {
    pub(crate) fn new() -> (Self, Queue) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Queue(receiver))
    }

    /// Proposes a command. `None` if consensus stops before it says what became of it.
    pub(crate) async fn propose(&self, command: Proposal) -> Option<Written> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Proposed { command, answer }).ok()?;
        answered.await.ok()
    }
}

impl Queue {
    /// Proposes what is handed in until nobody can hand in any more.
    pub(crate) async fn run(mut self, raft: Raft) {
        let mut waiting = Vec::new();
        while self.0.recv_many(&mut waiting, BATCH).await > 0 {
            // A batch that waits for a majority may have kept the next ones for longer than anybody waits for them.
            waiting.retain(|it| !it.answer.is_closed());
            propose(&raft, mem::take(&mut waiting)).await;
        }
    }
}

/// Proposes a batch and hands out the answers. Who gets none knows nothing.
async fn propose(raft: &Raft, batch: Vec<Proposed>) {
    if batch.is_empty() {
        return;
    }
    let (commands, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|it| (it.command, it.answer)).unzip();
    let Ok(mut written) = raft.client_write_many(commands).await else {
        return;
    };
    for answer in answers {
        let Some(Ok(written)) = written.next().await else {
            return;
        };
        // Whoever asked may have given up.
        let _ = answer.send(written);
    }
}
