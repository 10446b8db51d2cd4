//! What followers ask of the leader.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt;
use model::NodeId;
use openraft::base::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::{Caller, forwarded};
use crate::cluster::Core;
use crate::proto;
use crate::proto::cluster_server::Cluster;
use crate::{Lease, TransferError, error};

/// Messages with answers that may wait for a slow connection.
const ANSWERS_AHEAD: usize = 4;

/// Answers requests of other nodes.
pub(super) struct ClusterService {
    core: Arc<Core>,
}

impl ClusterService {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn forward(&self, request: Request<proto::ForwardRequest>) -> Result<Response<proto::ForwardReply>, Status> {
        use proto::forward_answer::Result as Answer;
        use proto::forward_reply::Result as Wire;
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref(), caller)?;
        let answer = forwarded::propose(&self.core, &request.submission, request.limit_millis).await;
        let result = match answer {
            Answer::Decided(it) => Wire::Decided(it),
            Answer::NotLeader(it) => Wire::NotLeader(it),
            Answer::Unknown(it) => Wire::Unknown(it),
            Answer::NotSent(reason) => return Err(Status::internal(reason)),
        };
        Ok(Response::new(proto::ForwardReply { result: Some(result) }))
    }

    type ForwardManyStream = ReceiverStream<Result<proto::ForwardAnswers, Status>>;

    async fn forward_many(
        &self,
        request: Request<Streaming<proto::ForwardBatch>>,
    ) -> Result<Response<Self::ForwardManyStream>, Status> {
        let caller = request.extensions().get().copied();
        let (answers, outgoing) = mpsc::channel(ANSWERS_AHEAD);
        tokio::spawn(forwarded::serve(
            self.core.clone(),
            caller,
            request.into_inner(),
            answers,
        ));
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn read_index(
        &self,
        request: Request<proto::ReadIndexRequest>,
    ) -> Result<Response<proto::ReadIndexReply>, Status> {
        let caller = request.extensions().get().copied();
        read_index(&self.core, &request.into_inner(), caller)
            .await
            .map(Response::new)
    }

    type ReadIndexesStream = BoxStream<'static, Result<proto::ReadIndexReply, Status>>;

    async fn read_indexes(
        &self,
        request: Request<Streaming<proto::ReadIndexRequest>>,
    ) -> Result<Response<Self::ReadIndexesStream>, Status> {
        let caller = request.extensions().get().copied();
        let core = self.core.clone();
        let answers = request.into_inner().then(move |question| {
            let core = core.clone();
            async move { read_index(&core, &question?, caller).await }
        });
        let stop = self.core.stop.clone().cancelled_owned();
        Ok(Response::new(Box::pin(answers.take_until(stop))))
    }

    async fn heartbeat(
        &self,
        request: Request<proto::HeartbeatRequest>,
    ) -> Result<Response<proto::HeartbeatReply>, Status> {
        use proto::heartbeat_reply::Result as Wire;
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        let source = self.core.links.check(request.route.as_ref(), caller)?;
        let lease = Lease {
            renewed: Instant::now(),
            boot: uuid(&request.boot)?,
            full: request.full,
        };
        let result = if self.core.leases.renew(source, lease) {
            Wire::Renewed(proto::Blank {})
        } else {
            Wire::NotLeader(proto::NotLeader {
                leader: self.core.leadership.borrow().leader.map(|it| it.0),
            })
        };
        Ok(Response::new(proto::HeartbeatReply { result: Some(result) }))
    }

    async fn hand_over(
        &self,
        request: Request<proto::HandOverRequest>,
    ) -> Result<Response<proto::HandOverReply>, Status> {
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref(), caller)?;
        let done = match request.to {
            Some(to) => self.core.hand_over_to(NodeId(to)).await,
            None => match self.core.hand_over().await {
                Some(done) => done,
                None => return Err(Status::unavailable("this node does not lead")),
            },
        };
        match done {
            Ok(leader) => Ok(Response::new(proto::HandOverReply { leader: leader.0 })),
            Err(TransferError::Refused(reason)) => Err(Status::failed_precondition(reason)),
            Err(TransferError::Unavailable(reason)) => Err(Status::unavailable(reason)),
        }
    }

    async fn look(&self, request: Request<proto::LookRequest>) -> Result<Response<proto::LookReply>, Status> {
        let caller = request.extensions().get().copied();
        self.core.links.check(request.into_inner().route.as_ref(), caller)?;
        Ok(Response::new(self.core.look().into()))
    }

    async fn renew(&self, request: Request<proto::RenewRequest>) -> Result<Response<proto::RenewReply>, Status> {
        let caller = request.extensions().get().copied();
        let request = request.into_inner();
        let caller = self.core.links.check(request.route.as_ref(), caller)?;
        let certify = self.core.certify(&request.key_request, caller);
        let (certificate, authority) = certify.map_err(|it| Status::failed_precondition(error::chain(&it)))?;
        Ok(Response::new(proto::RenewReply {
            certificate: Bytes::copy_from_slice(&certificate),
            authority: Bytes::copy_from_slice(&authority),
        }))
    }
}

async fn read_index(
    core: &Core,
    request: &proto::ReadIndexRequest,
    caller: Option<Caller>,
) -> Result<proto::ReadIndexReply, Status> {
    use proto::read_index_reply::Result as Wire;
    core.links.check(request.route.as_ref(), caller)?;
    let leader = core.leadership.borrow().leader.map(|it| it.0);
    let result = match core.leader_reads.ask().await {
        Ok(index) => {
            let id = proto::LogId { term: 0, index };
            Wire::Index(proto::Matched { id: Some(id) })
        }
        Err(reason) => {
            tracing::debug!(%reason, "cannot give a read index");
            Wire::NotLeader(proto::NotLeader { leader })
        }
    };
    Ok(proto::ReadIndexReply { result: Some(result) })
}

fn uuid(bytes: &[u8]) -> Result<Uuid, Status> {
    Uuid::from_slice(bytes).map_err(|_| Status::invalid_argument("an id is not 16 bytes long"))
}
