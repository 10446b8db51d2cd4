//! What followers ask of the leader, and strangers of anybody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use model::{NodeId, OperationId};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::cluster::Core;
use crate::join;
use crate::propose::Proposed;
use crate::proto;
use crate::proto::cluster_server::Cluster;

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
        use proto::forward_reply::Result as Wire;
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref())?;
        let operation = OperationId(uuid(&request.operation)?);
        let actor = storage::decode(&request.actor).map_err(unreadable)?;
        let command = storage::decode(&request.command).map_err(unreadable)?;
        let limit = Duration::from_millis(u64::from(request.limit_millis));
        let result = match self.core.propose_here(operation, actor, command, limit).await {
            Proposed::Decided { index, result } => Wire::Decided(proto::Decided {
                index,
                result: encoded(&result)?,
            }),
            Proposed::NotLeader(leader) => Wire::NotLeader(proto::NotLeader { leader }),
            Proposed::NotSent(reason) => return Err(Status::internal(reason)),
            Proposed::Unknown => Wire::Unknown(proto::Blank {}),
        };
        Ok(Response::new(proto::ForwardReply { result: Some(result) }))
    }

    async fn read_index(
        &self,
        request: Request<proto::ReadIndexRequest>,
    ) -> Result<Response<proto::ReadIndexReply>, Status> {
        use proto::read_index_reply::Result as Wire;
        self.core.links.check(request.into_inner().route.as_ref())?;
        let leader = self.core.leadership.borrow().leader.map(|it| it.0);
        let result = match self.core.leader_reads.ask().await {
            Ok(index) => {
                let id = proto::LogId { term: 0, index };
                Wire::Index(proto::Matched { id: Some(id) })
            }
            Err(reason) => {
                tracing::debug!(%reason, "cannot give a read index");
                Wire::NotLeader(proto::NotLeader { leader })
            }
        };
        Ok(Response::new(proto::ReadIndexReply { result: Some(result) }))
    }

    async fn heartbeat(
        &self,
        request: Request<proto::HeartbeatRequest>,
    ) -> Result<Response<proto::HeartbeatReply>, Status> {
        use proto::heartbeat_reply::Result as Wire;
        let request = request.into_inner();
        self.core.links.check(request.route.as_ref())?;
        let source = request.route.map_or(0, |it| it.source);
        let result = if self
            .core
            .leases
            .renew(NodeId(source), uuid(&request.boot)?, Instant::now())
        {
            Wire::Renewed(proto::Blank {})
        } else {
            Wire::NotLeader(proto::NotLeader {
                leader: self.core.leadership.borrow().leader.map(|it| it.0),
            })
        };
        Ok(Response::new(proto::HeartbeatReply { result: Some(result) }))
    }

    async fn join(&self, request: Request<proto::JoinRequest>) -> Result<Response<proto::JoinReply>, Status> {
        join::admit(&self.core, request.into_inner()).await.map(Response::new)
    }
}

fn uuid(bytes: &[u8]) -> Result<Uuid, Status> {
    Uuid::from_slice(bytes).map_err(|_| Status::invalid_argument("an id is not 16 bytes long"))
}

fn unreadable(error: storage::CodecError) -> Status {
    Status::invalid_argument(format!("this version cannot read the request: {error}"))
}

fn encoded<T: serde::Serialize>(value: &T) -> Result<Bytes, Status> {
    storage::encode(value)
        .map(Bytes::from)
        .map_err(|error| Status::internal(error.to_string()))
}
