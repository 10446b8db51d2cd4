//! How a new node gets in.

use std::time::{Duration, Instant};

use bytes::Bytes;
use model::{Actor, ClusterId, Command, NodeDraft, NodeId, OperationId, Outcome, Rejection};
use ring::digest::{SHA256, digest};
use storage::Identity;
use tonic::Status;
use uuid::Uuid;

use crate::cluster::Core;
use crate::proto::cluster_client::ClusterClient;
use crate::proto::join_reply::Result as Wire;
use crate::proto::{Admitted, JoinReply, JoinRequest};
use crate::transport::{self, Link, Purpose};
use crate::{StartError, SubmitError};

/// How long a new node tries to be let in.
const LIMIT: Duration = Duration::from_secs(9);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(6);
/// Between attempts.
const RETRY: Duration = Duration::from_millis(500);

/// Asks the cluster at `addr` to let this node in. Answers who it is from now on, and the cluster key.
pub(crate) async fn ask(addr: &str, token: &str, draft: &NodeDraft) -> Result<(Identity, [u8; 32]), StartError> {
    let failed = |reason: String| StartError::JoinFailed {
        addr: addr.to_owned(),
        reason,
    };
    let request = JoinRequest {
        token: token.to_owned(),
        operation: Bytes::copy_from_slice(Uuid::now_v7().as_bytes()),
        draft: storage::encode(draft).map_err(|it| failed(it.to_string()))?.into(),
        passed_on: false,
    };
    let link = Link::new(addr);
    let deadline = Instant::now() + LIMIT;
    let reply = loop {
        let reason = match attempt(&link, request.clone()).await {
            Ok(reply) => break reply,
            Err(status) if status.code() == tonic::Code::InvalidArgument => {
                return Err(failed(status.message().to_owned()));
            }
            Err(status) => transport::describe(&status),
        };
        link.reset();
        if Instant::now() + RETRY >= deadline {
            return Err(failed(format!(
                "{reason}; check the address, the network, and that a majority of its nodes is up"
            )));
        }
        tracing::warn!(addr, reason, "cannot join yet, trying again");
        tokio::time::sleep(RETRY).await;
    };
    match reply.result {
        Some(Wire::Admitted(Admitted { cluster, node, key })) => {
            let cluster = Uuid::from_slice(&cluster).map_err(|_| failed("its answer has no cluster id".to_owned()))?;
            let key = key[..]
                .try_into()
                .map_err(|_| failed("its answer has no cluster key".to_owned()))?;
            Ok((
                Identity {
                    cluster: ClusterId(cluster),
                    node: NodeId(node),
                },
                key,
            ))
        }
        Some(Wire::Rejected(rejection)) => match storage::decode::<Rejection>(&rejection) {
            Ok(source) => Err(StartError::JoinRefused {
                addr: addr.to_owned(),
                source,
            }),
            Err(error) => Err(failed(format!(
                "it refused, for a reason that this version cannot read: {error}"
            ))),
        },
        None => Err(failed("its answer is empty: it may run another version".to_owned())),
    }
}

async fn attempt(link: &Link, request: JoinRequest) -> Result<JoinReply, Status> {
    let mut client = ClusterClient::new(link.channel()?);
    match tokio::time::timeout(ATTEMPT, client.join(request)).await {
        Ok(reply) => reply.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("no answer in time")),
    }
}

/// Lets a node in, or passes its request on to the leader.
pub(crate) async fn admit(core: &Core, request: JoinRequest) -> Result<JoinReply, Status> {
    let seen = *core.leadership.borrow();
    match seen.leader {
        Some(_) if seen.is_self => {}
        Some(leader) if !request.passed_on => {
            let address = core.links.address_of(leader.0);
            let address = address.ok_or_else(|| Status::unavailable("the leader's address is not known"))?;
            let link = core.links.to(leader.0, &address, Purpose::Service);
            return attempt(
                &link,
                JoinRequest {
                    passed_on: true,
                    ..request
                },
            )
            .await;
        }
        _ => return Err(Status::unavailable("the cluster has no leader at the moment")),
    }
    let operation = Uuid::from_slice(&request.operation).map_err(|_| Status::invalid_argument("no operation id"))?;
    let draft: NodeDraft = storage::decode(&request.draft)
        .map_err(|it| Status::invalid_argument(format!("the node runs a version that this one does not know: {it}")))?;
    let mut token_hash = [0; 32];
    token_hash.copy_from_slice(digest(&SHA256, request.token.as_bytes()).as_ref());
    let command = Command::JoinNode {
        token_hash: Some(token_hash),
        draft,
    };
    let deadline = Instant::now() + core.timing.submit;
    let result = match core
        .submit(OperationId(operation), Actor::System, command, deadline)
        .await
    {
        Ok(submitted) => match submitted.outcome {
            Outcome::Node(node) => Wire::Admitted(Admitted {
                cluster: Bytes::copy_from_slice(core.cluster.0.as_bytes()),
                node: node.0,
                key: Bytes::copy_from_slice(&core.key),
            }),
            other => return Err(Status::internal(format!("a join was answered with {other:?}"))),
        },
        Err(SubmitError::Rejected(rejection)) => {
            let bytes = storage::encode(&rejection).map_err(|it| Status::internal(it.to_string()))?;
            Wire::Rejected(bytes.into())
        }
        Err(error) => return Err(Status::unavailable(error.to_string())),
    };
    Ok(JoinReply { result: Some(result) })
}
