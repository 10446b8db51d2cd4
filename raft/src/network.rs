//! openraft's calls to other nodes.

mod outstanding;
mod replies;

use std::future::Future;
use std::io::{Seek, SeekFrom};
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesResponse, SnapshotResponse, StreamAppendError, TransferLeaderError, TransferLeaderRequest,
    TransferLeaderResponse,
};
use openraft::{OptionalSend, RPCTypes};
use storage::Checksum;
use tonic::transport::Channel;

use self::outstanding::{Entries, Outstanding};
use self::replies::replies;
use crate::blocking;
use crate::exchange::Exchange;
use crate::proto;
use crate::proto::raft_client::RaftClient;
use crate::state_machine::SnapshotData;
use crate::transport::{self, Link, Links, MESSAGE_BYTES_MAX, Purpose};
use crate::types::{AppendRequest, AppendResult, Peer, TypeConfig, Vote, VoteRequest, VoteResponse};

type RpcError = RPCError<TypeConfig>;
type Snapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotData>;

/// Bytes of a snapshot sent in one message.
const CHUNK_BYTES: usize = 1 << 20;
/// How long a peer may take to say how much it has of a snapshot.
const HAVE_LIMIT: Duration = Duration::from_secs(5);
/// A replication stream that is owed an answer for this many times the limit of a call is dead. A single slow fsync
/// must not cost a stream.
const STREAM_PATIENCE: u32 = 6;

/// Makes connections for openraft.
pub(crate) struct NetworkFactory(pub(crate) Links);

impl NetworkFactory {
    fn network(&self, target: u64, peer: &Peer, purpose: Purpose) -> Network {
        self.0.note(target, &peer.address);
        Network {
            links: self.0.clone(),
            target,
            address: peer.address.clone(),
            purpose,
            pulse: None,
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = Network;

    async fn new_client(&mut self, target: u64, node: &Peer) -> Network {
        self.network(target, node, Purpose::Replication)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Peer) -> Network {
        self.network(target, node, Purpose::Heartbeat)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Peer) -> Network {
        self.network(target, node, Purpose::Snapshot)
    }
}

/// Calls to one peer.
pub(crate) struct Network {
    links: Links,
    target: u64,
    /// Where it was when openraft asked for this.
    address: String,
    purpose: Purpose,
    /// Open as long as heartbeats are answered on it.
    pulse: Option<Exchange<proto::AppendRequest, proto::AppendReply>>,
}

impl Network {
    /// The connection to where the peer is now.
    fn link(&self) -> Link {
        let address = self.links.address_of(self.target);
        self.links
            .to(self.target, address.as_ref().unwrap_or(&self.address), self.purpose)
    }

    fn client(&self) -> Result<RaftClient<Channel>, RpcError> {
        let channel = self.link().channel().map_err(|status| failed(&status))?;
        Ok(RaftClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// One call with a deadline. A connection that lets it pass is dropped.
    async fn call<T>(
        &self,
        action: RPCTypes,
        limit: Duration,
        call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T, RpcError> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(reply)) => Ok(reply.into_inner()),
            Ok(Err(status)) => {
                self.links.heed(&status);
                Err(failed(&status))
            }
            Err(_) => {
                self.link().reset();
                Err(self.timed_out(action, limit))
            }
        }
    }

    fn timed_out(&self, action: RPCTypes, timeout: Duration) -> RpcError {
        let id = self.links.route(self.target).source;
        RPCError::Timeout(Timeout {
            action,
            id,
            target: self.target,
            timeout,
        })
    }

    /// A snapshot from where an earlier attempt to send it has broken off: its file from there on, its name, and where that
    /// is.
    async fn resume(&self, mut file: std::fs::File) -> Result<(std::fs::File, Checksum, u64), RpcError> {
        let read = |it: std::io::Error| broken(&it);
        let checksum = storage::snapshot_checksum(&file).map_err(read)?;
        let request = proto::SnapshotHaveRequest {
            route: Some(self.links.route(self.target)),
            checksum: bytes::Bytes::copy_from_slice(&checksum),
        };
        let mut client = self.client()?;
        let have = self.call(RPCTypes::InstallSnapshot, HAVE_LIMIT, async move {
            match client.snapshot_have(request).await {
                // An older version keeps nothing.
                Err(status) if status.code() == tonic::Code::Unimplemented => {
                    Ok(tonic::Response::new(proto::SnapshotHaveReply::default()))
                }
                answer => answer,
            }
        });
        let length = file.metadata().map_err(read)?.len();
        let offset = Some(have.await?.bytes).filter(|it| *it <= length).unwrap_or(0);
        if offset > 0 {
            tracing::info!(
                target = self.target,
                offset,
                length,
                "a snapshot goes on where its transfer broke off"
            );
        }
        file.seek(SeekFrom::Start(offset)).map_err(read)?;
        Ok((file, checksum, offset))
    }

    /// One heartbeat. A stream that has broken since the last one must not cost it.
    async fn beat(&mut self, rpc: &AppendRequest, limit: Duration) -> Result<AppendResult, RpcError> {
        let request = proto::AppendRequest::new(self.links.route(self.target), rpc);
        let kept = match self.pulse.take() {
            Some(pulse) => pulse.ask(request.clone()).await.ok(),
            None => None,
        };
        let (pulse, reply) = match kept {
            Some(answered) => answered.into_inner(),
            None => {
                let mut client = self.client()?;
                let opening = Exchange::open(|beats| client.append(beats));
                let pulse = self.call(RPCTypes::AppendEntries, limit, opening).await?;
                self.call(RPCTypes::AppendEntries, limit, pulse.ask(request)).await?
            }
        };
        self.pulse = Some(pulse);
        reply.try_into().map_err(|error: proto::Malformed| broken(&error))
    }

    async fn send_snapshot(&self, vote: Vote, snapshot: Snapshot) -> Result<SnapshotResponse<TypeConfig>, RpcError> {
        use proto::snapshot_chunk::Part;
        let file = match snapshot.snapshot {
            SnapshotData::Ours(file) => file,
            SnapshotData::Received(staged) => std::fs::File::open(staged.path()).map_err(|it| broken(&it))?,
        };
        let (file, checksum, offset) = self.resume(file).await?;
        let part = (&checksum[..], offset);
        let start = proto::SnapshotStart::new(self.links.route(self.target), &vote, &snapshot.meta, part);
        // A file that cannot be read on ends the stream too early, which the other end sees by the checksum.
        let data = blocking::pieces(file, CHUNK_BYTES);
        let parts = data
            .take_while(|chunk| std::future::ready(chunk.is_ok()))
            .filter_map(|chunk| async { chunk.ok() });
        let parts = futures::stream::iter([Part::Start(start)]).chain(parts.map(Part::Data));
        let chunks = parts.map(|part| proto::SnapshotChunk { part: Some(part) });
        let reply = self
            .client()?
            .snapshot(chunks)
            .await
            .map_err(|status| failed(&status))?
            .into_inner();
        let vote = reply.vote.ok_or_else(|| broken(&proto::Malformed("vote")))?;
        Ok(SnapshotResponse::new(vote.into()))
    }
}

impl Entries for AppendRequest {
    fn are_none(&self) -> bool {
        self.entries.is_empty()
    }
}

impl RaftNetworkV2<TypeConfig> for Network {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        rpc: AppendRequest,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let request = futures::stream::iter([rpc]);
        let mut answers = self.stream_append(request, option).await?;
        match answers.next().await {
            Some(Ok(Ok(_))) => Ok(AppendEntriesResponse::Success),
            Some(Ok(Err(StreamAppendError::Conflict(_)))) => Ok(AppendEntriesResponse::Conflict),
            Some(Ok(Err(StreamAppendError::HigherVote(vote)))) => Ok(AppendEntriesResponse::HigherVote(vote)),
            Some(Err(error)) => Err(error),
            None => Err(broken(&proto::Malformed("answer"))),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<AppendResult, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendRequest> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            // openraft waits after errors where it makes the first request. It must be asked for before a connection is, or
            // a peer that refuses connections would be tried again without a pause, and the errors would fill its core.
            let gaps = self.links.gaps();
            let gaps = (gaps.count(), gaps);
            let mut input = input;
            let Some(first) = input.next().await else {
                let nothing: BoxStream<'s, _> = Box::pin(futures::stream::empty());
                return Ok(nothing);
            };
            let limit = option.hard_ttl() * STREAM_PATIENCE;
            if self.purpose == Purpose::Heartbeat {
                // openraft gives each a stream of its own.
                let answer = self.beat(&first, limit).await;
                let answers: BoxStream<'s, _> = Box::pin(futures::stream::once(std::future::ready(answer)));
                return Ok(answers);
            }
            let input = futures::stream::iter([first]).chain(input);
            let sent = Outstanding::default();
            let route = self.links.route(self.target);
            let requests = sent.requests(input);
            let requests = requests.map(move |request| proto::AppendRequest::new(route.clone(), &request));
            let mut client = self.client()?;
            let stream = self
                .call(RPCTypes::AppendEntries, limit, client.append(requests))
                .await?;
            let timeout = self.timed_out(RPCTypes::AppendEntries, limit);
            let answers: BoxStream<'s, _> = Box::pin(replies(stream, sent, self.link(), (limit, timeout), gaps));
            Ok(answers)
        })
    }

    async fn vote(&mut self, rpc: VoteRequest, option: RPCOption) -> Result<VoteResponse, RpcError> {
        let request = proto::VoteRequest::new(self.links.route(self.target), &rpc);
        let mut client = self.client()?;
        let reply = self
            .call(RPCTypes::Vote, option.soft_ttl(), client.vote(request))
            .await?;
        reply.try_into().map_err(|error| broken(&error))
    }

    async fn pre_vote(&mut self, rpc: VoteRequest, option: RPCOption) -> Result<VoteResponse, RpcError> {
        let request = proto::VoteRequest::new(self.links.route(self.target), &rpc);
        let mut client = self.client()?;
        let reply = self
            .call(RPCTypes::Vote, option.soft_ttl(), client.pre_vote(request))
            .await?;
        reply.try_into().map_err(|error| broken(&error))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let limit = option.hard_ttl();
        tokio::select! {
            sent = tokio::time::timeout(limit, self.send_snapshot(vote, snapshot)) => match sent {
                Ok(sent) => Ok(sent?),
                Err(_) => {
                    self.link().reset();
                    Err(self.timed_out(RPCTypes::InstallSnapshot, limit).into())
                }
            },
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        use proto::transfer_reply::Result as Wire;
        let request = proto::TransferRequest {
            route: Some(self.links.route(self.target)),
            from_leader: Some(req.from_leader().into()),
            to: *req.to_node_id(),
            last_log_id: req.last_log_id().map(Into::into),
        };
        let mut client = self.client()?;
        let reply = self
            .call(
                RPCTypes::TransferLeader,
                option.soft_ttl(),
                client.transfer_leader(request),
            )
            .await?;
        match reply.result {
            Some(Wire::Accepted(_)) => Ok(Ok(())),
            Some(Wire::VoteChanged(proto::VoteChanged {
                expected: Some(expected),
                actual: Some(actual),
            })) => Ok(Err(TransferLeaderError::VoteChanged {
                expected: expected.into(),
                actual: actual.into(),
            })),
            Some(Wire::LogNotFlushed(it)) => Ok(Err(TransferLeaderError::LogNotFlushed {
                expected: it.expected.map(Into::into),
                actual: it.actual.map(Into::into),
            })),
            Some(Wire::VoteChanged(_)) | None => Err(broken(&proto::Malformed("result"))),
        }
    }
}

/// A failed call: openraft backs off from peers that are not there and tries others again at once.
fn failed(status: &tonic::Status) -> RpcError {
    let text = transport::describe(status);
    match status.code() {
        tonic::Code::Unavailable
        | tonic::Code::ResourceExhausted
        | tonic::Code::FailedPrecondition
        | tonic::Code::PermissionDenied
        | tonic::Code::Unauthenticated => RPCError::Unreachable(Unreachable::from_string(text)),
        _ => RPCError::Network(NetworkError::from_string(text)),
    }
}

fn broken<E: std::error::Error + 'static>(error: &E) -> RpcError {
    RPCError::Network(NetworkError::new(error))
}
