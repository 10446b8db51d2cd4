//! The answers of a replication stream, in the order of the requests, none of them waited for too long.

use std::time::Duration;

use futures::Stream;
use openraft::errors::{NetworkError, RPCError};
use tonic::Streaming;

use super::outstanding::Outstanding;
use super::{RpcError, broken, failed};
use crate::gaps::Gaps;
use crate::proto;
use crate::transport::Link;
use crate::types::AppendResult;

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
        // Being asked for the next answer, the last one has been seen.
        self.sent.seen();
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
                    let may_be_seen = self.sent.answered();
                    match reply.try_into().map_err(|error: proto::Malformed| broken(&error)) {
                        Ok(Ok(_)) if !may_be_seen => continue,
                        answer => answer,
                    }
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
