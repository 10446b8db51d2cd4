//! Commands that a follower sends in a stream, and their answers.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::Caller;
use crate::cluster::Core;
use crate::propose::Proposed;
use crate::proto;
use crate::proto::forward_answer::Result as Wire;

/// Where answers go.
pub(super) type Answers = mpsc::Sender<Result<proto::ForwardAnswers, Status>>;

/// Proposes what comes until either end closes the stream. All that was decided meanwhile goes into one message.
pub(super) async fn serve(
    core: Arc<Core>,
    caller: Option<Caller>,
    mut incoming: Streaming<proto::ForwardBatch>,
    answers: Answers,
) {
    let mut running = FuturesUnordered::new();
    let mut is_open = true;
    loop {
        tokio::select! {
            message = incoming.message(), if is_open => match message {
                Ok(Some(batch)) => {
                    if let Err(refusal) = core.links.check(batch.route.as_ref(), caller) {
                        // The asking node is gone if this does not reach it.
                        let _ = answers.send(Err(refusal)).await;
                        return;
                    }
                    running.extend(batch.commands.into_iter().map(|it| answer(core.clone(), it)));
                }
                Ok(None) | Err(_) => is_open = false,
            },
            Some(first) = running.next(), if !running.is_empty() => {
                let mut decided = vec![first];
                while let Some(Some(next)) = running.next().now_or_never() {
                    decided.push(next);
                }
                if answers.send(Ok(proto::ForwardAnswers { answers: decided })).await.is_err() {
                    return;
                }
            }
            () = core.stop.cancelled() => return,
            else => return,
        }
    }
}

async fn answer(core: Arc<Core>, command: proto::Forwarded) -> proto::ForwardAnswer {
    proto::ForwardAnswer {
        number: command.number,
        result: Some(propose(&core, &command.submission, command.limit_millis).await),
    }
}

/// Proposes one command; what became of it.
pub(super) async fn propose(core: &Core, submission: &[u8], limit_millis: u32) -> Wire {
    let submission = match storage::decode(submission) {
        Ok(submission) => submission,
        Err(error) => return Wire::NotSent(format!("the leader's version cannot read the request: {error}")),
    };
    let limit = Duration::from_millis(u64::from(limit_millis));
    match core.propose_here(submission, limit).await {
        Proposed::Decided { index, result } => match storage::encode(&result) {
            Ok(bytes) => Wire::Decided(proto::Decided {
                index,
                result: bytes.into(),
            }),
            // It is decided all the same; its operation id tells what, once this can be said.
            Err(_) => Wire::Unknown(proto::Blank {}),
        },
        Proposed::NotLeader(leader) => Wire::NotLeader(proto::NotLeader { leader }),
        Proposed::NotSent(reason) => Wire::NotSent(reason),
        Proposed::Unknown => Wire::Unknown(proto::Blank {}),
    }
}
