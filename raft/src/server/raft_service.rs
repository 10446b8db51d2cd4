//! Consensus messages from other nodes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::base::BoxStream;
use openraft::raft::{TransferLeaderError, TransferLeaderRequest};
use storage::Checksum;
use tonic::{Request, Response, Status, Streaming};

use super::Caller;
use crate::blocking;
use crate::cluster::Core;
use crate::failover::{LeaderStream, SILENCE};
use crate::proto;
use crate::proto::raft_server::Raft;
use crate::proto::snapshot_chunk::Part;
use crate::state_machine::SnapshotData;
use crate::types::AppendRequest;

/// Why a node does not vote yet.
const JUST_STARTED: &str = "this node has just started and cannot vote yet";
/// Why it does not vote for another.
const HEARD: &str = "this node has just heard of a leader and votes for no other";

/// Answers consensus messages.
pub(super) struct RaftService {
    core: Arc<Core>,
}

impl RaftService {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

#[tonic::async_trait]
impl Raft for RaftService {
    type AppendStream = BoxStream<'static, Result<proto::AppendReply, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let failure = Failure::default();
        let caller = request.extensions().get().copied();
        let requests = accepted(self.core.clone(), caller, request.into_inner(), failure.clone());
        let stream = LeaderStream::new(self.core.clone(), caller);
        let answers = self.core.raft.stream_append(requests).map(move |answer| match answer {
            Ok(answer) => {
                if answer.is_ok() {
                    stream.touch();
                }
                Ok((&answer).into())
            }
            Err(fatal) => Err(Status::unavailable(format!("this node has stopped: {fatal}"))),
        });
        // After the answers to all that was in order comes what was not.
        let refusal = futures::stream::once(async move { failure.take() }).filter_map(async |it| it.map(Err));
        Ok(Response::new(Box::pin(answers.chain(refusal))))
    }

    async fn vote(&self, request: Request<proto::VoteRequest>) -> Result<Response<proto::VoteReply>, Status> {
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref(), caller)?;
        let is_handed_over = request.leadership_transfer;
        may_vote(
            self.core.started.elapsed(),
            self.core.contact.age().filter(|_| !is_handed_over),
        )?;
        let reply = self
            .core
            .raft
            .vote(request.try_into().map_err(malformed)?)
            .await
            .map_err(stopped)?;
        Ok(Response::new((&reply).into()))
    }

    async fn pre_vote(&self, request: Request<proto::VoteRequest>) -> Result<Response<proto::VoteReply>, Status> {
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref(), caller)?;
        may_vote(self.core.started.elapsed(), self.core.contact.age())?;
        let reply = self
            .core
            .raft
            .pre_vote(request.try_into().map_err(malformed)?)
            .await
            .map_err(stopped)?;
        Ok(Response::new((&reply).into()))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<proto::SnapshotChunk>>,
    ) -> Result<Response<proto::SnapshotReply>, Status> {
        let caller = request.extensions().get().copied();
        let mut chunks = request.into_inner();
        let Some(proto::SnapshotChunk {
            part: Some(Part::Start(start)),
        }) = chunks.message().await?
        else {
            return Err(Status::invalid_argument("a snapshot must begin with what it is"));
        };
        self.core.links.check(start.route.as_ref(), caller)?;
        // An older sender does not name what it sends.
        let checksum = Checksum::try_from(&start.checksum[..]).ok();
        let mut staged = match &checksum {
            Some(checksum) => self.core.snapshots.resume(checksum, start.offset),
            None => self.core.snapshots.stage(),
        }
        .map_err(disk)?;
        let (vote, meta) = start.parts().map_err(malformed)?;
        while let Some(chunk) = chunks.message().await? {
            let Some(Part::Data(data)) = chunk.part else {
                return Err(Status::invalid_argument("a snapshot has only one beginning"));
            };
            staged.add(&data).map_err(disk)?;
        }
        // A transfer that went wrong is the sender's to repeat; once it is given to the state machine, an error there
        // would end this node.
        let snapshots = self.core.snapshots.clone();
        let check = move || snapshots.verify(staged).map(|(staged, _)| staged);
        let staged = blocking::run(check)
            .await
            .map_err(|it| Status::internal(it.to_string()))?;
        let staged = staged.map_err(|error| Status::data_loss(error.to_string()))?;
        let snapshot = openraft::Snapshot {
            meta,
            snapshot: SnapshotData::Received(staged),
        };
        let reply = self
            .core
            .raft
            .install_full_snapshot(vote, snapshot)
            .await
            .map_err(stopped)?;
        self.core.contact.touch();
        Ok(Response::new(proto::SnapshotReply {
            vote: Some((&reply.vote).into()),
        }))
    }

    async fn snapshot_have(
        &self,
        request: Request<proto::SnapshotHaveRequest>,
    ) -> Result<Response<proto::SnapshotHaveReply>, Status> {
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref(), caller)?;
        let checksum = Checksum::try_from(&request.checksum[..]);
        let checksum = checksum.map_err(|_| malformed(proto::Malformed("checksum")))?;
        let bytes = self.core.snapshots.have(&checksum);
        Ok(Response::new(proto::SnapshotHaveReply { bytes }))
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferRequest>,
    ) -> Result<Response<proto::TransferReply>, Status> {
        use proto::transfer_reply::Result as Wire;
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref(), caller)?;
        let from = request.from_leader.ok_or(malformed(proto::Malformed("vote")))?.into();
        let request = TransferLeaderRequest::new(from, request.to, request.last_log_id.map(Into::into));
        let result = match self.core.raft.handle_transfer_leader(request).await.map_err(stopped)? {
            Ok(()) => Wire::Accepted(proto::Blank {}),
            Err(TransferLeaderError::VoteChanged { expected, actual }) => Wire::VoteChanged(proto::VoteChanged {
                expected: Some((&expected).into()),
                actual: Some((&actual).into()),
            }),
            Err(TransferLeaderError::LogNotFlushed { expected, actual }) => Wire::LogNotFlushed(proto::LogNotFlushed {
                expected: expected.as_ref().map(Into::into),
                actual: actual.as_ref().map(Into::into),
            }),
        };
        Ok(Response::new(proto::TransferReply { result: Some(result) }))
    }
}

/// A leader may be answering reads because this node answered it, unless it hands over itself. One that was `heard` of so long
/// ago may, also if openraft's own lease was ended because its host refused connections and it went on after all. And a node
/// that `started` so long ago does not know whether it answered one the moment before. Until that must be over, it votes for nobody.
fn may_vote(started: Duration, heard: Option<Duration>) -> Result<(), Status> {
    if started < SILENCE {
        return Err(Status::unavailable(JUST_STARTED));
    }
    if heard.is_some_and(|it| it < SILENCE) {
        return Err(Status::unavailable(HEARD));
    }
    Ok(())
}

/// Why a stream was cut short.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<Status>>>);

impl Failure {
    fn set(&self, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    fn take(&self) -> Option<Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The requests of a stream, up to the first that is broken or not meant for this node.
fn accepted(
    core: Arc<Core>,
    caller: Option<Caller>,
    incoming: Streaming<proto::AppendRequest>,
    failure: Failure,
) -> impl Stream<Item = AppendRequest> + Send + 'static {
    let checked = incoming.map(move |request| {
        let request = request?;
        core.links.check(request.route.as_ref(), caller)?;
        // What does not fit is left to the leader, which comes again: a write that fails would end this node.
        if !request.entries.is_empty()
            && let Err(full) = core.room.check_exhausted()
        {
            return Err(Status::resource_exhausted(full.to_string()));
        }
        AppendRequest::try_from(request).map_err(malformed)
    });
    checked.scan(failure, |failure, request| {
        let request = request.map_err(|status| failure.set(status)).ok();
        std::future::ready(request)
    })
}

fn malformed(error: proto::Malformed) -> Status {
    Status::invalid_argument(error.to_string())
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("this node has stopped: {error}"))
}

fn disk(error: storage::StorageError) -> Status {
    tracing::error!(error = &error as &dyn std::error::Error, "cannot take a snapshot in");
    Status::resource_exhausted(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_may_have_promised_not_to_vote_does_not() {
        let lease = crate::READ_LEASE_MAX;
        assert!(may_vote(Duration::ZERO, None).is_err_and(|it| it.message() == JUST_STARTED));
        assert!(may_vote(lease, None).is_err());
        assert!(may_vote(SILENCE, None).is_ok());
        assert!(may_vote(SILENCE, Some(lease)).is_err_and(|it| it.message() == HEARD));
        assert!(may_vote(SILENCE, Some(SILENCE)).is_ok());
    }
}
