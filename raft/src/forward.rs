//! Commands on their way to the leader: one stream to it, many commands in a message.
//!
//! A call of its own for each command costs more than all that the leader then does with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use crate::propose::Proposed;
use crate::proto;
use crate::proto::cluster_client::ClusterClient;
use crate::proto::forward_answer::Result as Wire;
use crate::transport::{self, Link, Links, MESSAGE_BYTES_MAX};

/// Commands in one message at most.
const BATCH: usize = 256;
/// And about so many bytes of them.
const BATCH_BYTES: usize = 1 << 20;
/// Messages that may wait for a slow connection before commands wait in the queue.
const MESSAGES_AHEAD: usize = 4;

/// What became of a command that was handed to a stream.
#[derive(Debug)]
pub(crate) enum Forwarded {
    /// See [`Proposed`].
    Proposed(Proposed),
    /// The leader's version does not know such streams: nothing was proposed.
    Unsupported,
}

/// A command for the leader.
struct Asked {
    submission: Bytes,
    limit: Duration,
    answer: oneshot::Sender<Forwarded>,
}

/// The streams to those that lead, or led.
#[derive(Clone)]
pub(crate) struct Forwards {
    links: Links,
    stop: CancellationToken,
    lanes: Arc<Mutex<HashMap<u64, Lane>>>,
}

type Lane = mpsc::UnboundedSender<Asked>;

impl Forwards {
    pub(crate) fn new(links: Links, stop: CancellationToken) -> Self {
        Self {
            links,
            stop,
            lanes: Arc::default(),
        }
    }

    /// Lets a node propose an encoded submission. Must be called on the runtime of consensus.
    pub(crate) async fn ask(&self, leader: u64, link: &Link, submission: Bytes, limit: Duration) -> Forwarded {
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            submission,
            limit,
            answer,
        };
        self.send(leader, link, asked);
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(forwarded)) => forwarded,
            // The stream has ended with this command in it.
            Ok(Err(_)) => Forwarded::Proposed(Proposed::Unknown),
            Err(_) => {
                link.reset();
                self.lanes().remove(&leader);
                Forwarded::Proposed(Proposed::Unknown)
            }
        }
    }

    /// Puts a command into the stream to a node, which is opened where there is none.
    fn send(&self, leader: u64, link: &Link, asked: Asked) {
        let mut lanes = self.lanes();
        let asked = match lanes.get(&leader) {
            Some(lane) => match lane.send(asked) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => asked,
        };
        let (lane, queue) = mpsc::unbounded_channel();
        // The other end of this queue is held right here.
        let _ = lane.send(asked);
        lanes.insert(leader, lane);
        drop(lanes);
        let driving = drive(self.links.clone(), leader, link.clone(), queue);
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let _ = stop.run_until_cancelled(driving).await;
        });
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The commands that have no answer yet, by their number in the stream.
#[derive(Default)]
struct Waiting {
    next: u64,
    answers: HashMap<u64, oneshot::Sender<Forwarded>>,
}

impl Waiting {
    /// A message of what was asked.
    fn batch(&mut self, asked: Vec<Asked>, route: proto::Route) -> proto::ForwardBatch {
        let commands = asked.into_iter().map(|it| {
            self.next += 1;
            self.answers.insert(self.next, it.answer);
            proto::Forwarded {
                number: self.next,
                submission: it.submission,
                limit_millis: u32::try_from(it.limit.as_millis()).unwrap_or(u32::MAX),
            }
        });
        proto::ForwardBatch {
            commands: commands.collect(),
            route: Some(route),
        }
    }

    fn answered(&mut self, answers: proto::ForwardAnswers) {
        for it in answers.answers {
            if let Some(waiting) = self.answers.remove(&it.number) {
                // Whoever asked may have given up.
                let _ = waiting.send(Forwarded::Proposed(proposed(it.result)));
            }
        }
    }

    /// Gives all the same answer.
    fn end(self, answer: impl Fn() -> Forwarded) {
        for waiting in self.answers.into_values() {
            let _ = waiting.send(answer());
        }
    }
}

/// One stream, from its first command until it breaks. What it drops then has no answer, which is one: unknown.
async fn drive(links: Links, leader: u64, link: Link, mut queue: mpsc::UnboundedReceiver<Asked>) {
    let mut waiting = Waiting::default();
    let Some(first) = take(&mut queue).await else { return };
    let (requests, outgoing) = mpsc::channel(MESSAGES_AHEAD);
    // There is room for the first message.
    let _ = requests.try_send(waiting.batch(first, links.route(leader)));
    let opened = match open(&link, outgoing).await {
        Ok(opened) => opened,
        Err(status) => {
            links.heed(&status);
            queue.close();
            let rest: Vec<_> = std::iter::from_fn(|| queue.try_recv().ok()).collect();
            waiting.batch(rest, links.route(leader));
            waiting.end(|| refusal(&status));
            return;
        }
    };
    if let Err(status) = exchange(opened, &mut waiting, &mut queue, &requests, || links.route(leader)).await {
        links.heed(&status);
        tracing::debug!(
            leader,
            status = transport::describe(&status),
            "the stream of commands has ended"
        );
    }
}

async fn open(
    link: &Link,
    outgoing: mpsc::Receiver<proto::ForwardBatch>,
) -> Result<Streaming<proto::ForwardAnswers>, Status> {
    let mut client = ClusterClient::new(link.channel()?)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Ok(client.forward_many(ReceiverStream::new(outgoing)).await?.into_inner())
}

/// Sends what is asked and hands out answers until one of the ends is gone.
async fn exchange(
    mut answers: Streaming<proto::ForwardAnswers>,
    waiting: &mut Waiting,
    queue: &mut mpsc::UnboundedReceiver<Asked>,
    requests: &mpsc::Sender<proto::ForwardBatch>,
    route: impl Fn() -> proto::Route,
) -> Result<(), Status> {
    // Answers are read whatever happens: the leader may wait for that before it reads on.
    let mut next: Option<Vec<Asked>> = None;
    loop {
        tokio::select! {
            message = answers.message() => match message? {
                Some(message) => waiting.answered(message),
                None => return Ok(()),
            },
            asked = take(queue), if next.is_none() => match asked {
                Some(asked) => next = Some(asked),
                None => return Ok(()),
            },
            permit = requests.reserve(), if next.is_some() => match (permit, next.take()) {
                (Ok(permit), Some(mut asked)) => {
                    fill(queue, &mut asked);
                    permit.send(waiting.batch(asked, route()));
                }
                _ => return Ok(()),
            },
        }
    }
}

/// What is in the queue, as much as goes into a message. `None` once nobody can ask any more.
async fn take(queue: &mut mpsc::UnboundedReceiver<Asked>) -> Option<Vec<Asked>> {
    let mut asked = vec![queue.recv().await?];
    fill(queue, &mut asked);
    Some(asked)
}

fn fill(queue: &mut mpsc::UnboundedReceiver<Asked>, asked: &mut Vec<Asked>) {
    let mut bytes: usize = asked.iter().map(|it| it.submission.len()).sum();
    while asked.len() < BATCH
        && bytes < BATCH_BYTES
        && let Ok(next) = queue.try_recv()
    {
        bytes += next.submission.len();
        asked.push(next);
    }
}

impl From<proto::forward_reply::Result> for Wire {
    fn from(alone: proto::forward_reply::Result) -> Self {
        use proto::forward_reply::Result as Alone;
        match alone {
            Alone::Decided(it) => Self::Decided(it),
            Alone::NotLeader(it) => Self::NotLeader(it),
            Alone::Unknown(it) => Self::Unknown(it),
        }
    }
}

/// What an answer means.
pub(crate) fn proposed(result: Option<Wire>) -> Proposed {
    match result {
        Some(Wire::Decided(decided)) => match storage::decode(&decided.result) {
            Ok(result) => Proposed::Decided {
                index: decided.index,
                result,
            },
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot read the leader's answer"
                );
                Proposed::Unknown
            }
        },
        Some(Wire::NotLeader(to)) => Proposed::NotLeader(to.leader),
        Some(Wire::NotSent(reason)) => Proposed::NotSent(reason),
        Some(Wire::Unknown(_)) | None => Proposed::Unknown,
    }
}

/// What a stream that could not be opened means for the commands in it.
fn refusal(status: &Status) -> Forwarded {
    match status.code() {
        Code::Unimplemented => Forwarded::Unsupported,
        _ if crate::propose::refused(status) => Forwarded::Proposed(Proposed::NotSent(transport::describe(status))),
        _ => Forwarded::Proposed(Proposed::Unknown),
    }
}
