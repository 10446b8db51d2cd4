//! The answers of a replication stream, in the order of the requests, none of them waited for too long.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::Stream;
use openraft::errors::{NetworkError, RPCError};
use tonic::Streaming;

use super::{RpcError, broken, failed};
use crate::gaps::Gaps;
use crate::proto;
use crate::transport::Link;
use crate::types::AppendResult;

/// When the requests were sent that have no answer yet, oldest first.
#[derive(Clone, Default)]
pub(super) struct Outstanding(Arc<Mutex<VecDeque<Instant>>>);

impl Outstanding {
    pub(super) fn sent(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(Instant::now());
    }

    fn answered(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    }

    /// How long the oldest answer may still take; `limit` if none is due.
    fn time_left(&self, limit: Duration) -> Duration {
        let oldest = self.0.lock().unwrap_or_else(PoisonError::into_inner).front().copied();
        oldest.map_or(limit, |sent| limit.saturating_sub(sent.elapsed()))
    }
}

struct Replies {
    stream: Streaming<proto::AppendReply>,
    sent: Outstanding,
    link: Link,
    limit: Duration,
    /// Given out when an answer is overdue; the stream ends with the first error.
    timeout: Option<RpcError>,
    /// How many there were when the stream began.
    gaps: (u64, Gaps),
}

/// Answers until the first error. A stream without requests may be silent for as long as it likes.
pub(super) fn replies(
    stream: Streaming<proto::AppendReply>,
    sent: Outstanding,
    link: Link,
    (limit, timeout): (Duration, RpcError),
    gaps: (u64, Gaps),
) -> impl Stream<Item = Result<AppendResult, RpcError>> + Send {
    let replies = Replies {
        stream,
        sent,
        link,
        limit,
        timeout: Some(timeout),
        gaps,
    };
    futures::stream::unfold(replies, |mut it| async move {
        let next = it.next().await?;
        Some((next, it))
    })
}

impl Replies {
    async fn next(&mut self) -> Option<Result<AppendResult, RpcError>> {
        // Taken: the stream has ended with an error.
        self.timeout.as_ref()?;
        loop {
            let wait = self.sent.time_left(self.limit);
            let answer = match tokio::time::timeout(wait, self.stream.message()).await {
                Err(_) if self.sent.time_left(self.limit).is_zero() => {
                    self.link.reset();
                    return self.timeout.take().map(Err);
                }
                // Nothing was due, or what was due has been answered meanwhile.
                Err(_) => continue,
                Ok(Ok(None)) => return None,
                Ok(Ok(Some(_))) if self.gaps.1.count() != self.gaps.0 => Err(RPCError::Network(
                    NetworkError::from_string("entries were purged before they were read: this is to begin anew"),
                )),
                Ok(Ok(Some(reply))) => {
                    self.sent.answered();
                    reply.try_into().map_err(|error: proto::Malformed| broken(&error))
                }
                Ok(Err(status)) => Err(failed(&status)),
            };
            if answer.is_err() {
                self.timeout = None;
            }
            return Some(answer);
        }
    }
}
