//! Leadership given to another node on purpose, which costs no election.

use std::time::{Duration, Instant};

use model::NodeId;
use openraft::async_runtime::WatchReceiver;
use thiserror::Error;

use super::Core;
use super::core::matched;
use crate::proto::HandOverRequest;
use crate::proto::cluster_client::ClusterClient;
use crate::transport::{self, Purpose};

/// How long a leader waits for its successor.
const LIMIT: Duration = Duration::from_secs(1);
/// How long the leader may take to answer, its successor's election included.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// Why leadership was not given to another node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransferError {
    /// That node cannot lead now.
    #[error("leadership cannot be transferred: {0}")]
    Refused(String),
    /// The leader cannot be asked, or the other node did not take over.
    #[error("leadership was not transferred: {0}")]
    Unavailable(String),
}

impl Core {
    /// See [`crate::Cluster::transfer_leadership`].
    pub(super) async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<NodeId, TransferError> {
        let unavailable = |reason: &str| TransferError::Unavailable(reason.to_owned());
        let seen = *self.leadership.borrow();
        let leader = seen
            .leader
            .ok_or_else(|| unavailable("no leader is known at the moment"))?;
        if seen.is_self {
            return match to {
                Some(to) => self.hand_over_to(to).await,
                None => self
                    .hand_over()
                    .await
                    .unwrap_or_else(|| Err(unavailable("this node no longer leads"))),
            };
        }
        let address = self.links.address_of(leader.0);
        let address = address.ok_or_else(|| unavailable("the leader's address is not known"))?;
        let link = self.links.to(leader.0, &address, Purpose::Service);
        let channel = link.channel().map_err(|it| unavailable(&transport::describe(&it)))?;
        let request = HandOverRequest {
            route: Some(self.links.route(leader.0)),
            to: to.map(|it| it.0),
        };
        let mut client = ClusterClient::new(channel);
        match tokio::time::timeout(ANSWER_LIMIT, client.hand_over(request)).await {
            Ok(Ok(reply)) => Ok(NodeId(reply.into_inner().leader)),
            Ok(Err(status)) if status.code() == tonic::Code::FailedPrecondition => {
                Err(TransferError::Refused(status.message().to_owned()))
            }
            Ok(Err(status)) => Err(unavailable(&transport::describe(&status))),
            Err(_) => Err(unavailable("the leader does not answer in time")),
        }
    }

    /// Makes the voter that is furthest the leader. `None` if this node does not lead.
    pub(crate) async fn hand_over(&self) -> Option<Result<NodeId, TransferError>> {
        if !self.leadership.borrow().is_self {
            return None;
        }
        let metrics = self.metrics();
        let voters = metrics.membership_config.voter_ids();
        let others = voters.filter(|id| *id != self.node.0 && self.is_alive(NodeId(*id)) && !self.is_full(NodeId(*id)));
        match others.max_by_key(|id| matched(&metrics, *id)) {
            Some(successor) => Some(self.hand_over_to(NodeId(successor)).await),
            None => Some(Err(TransferError::Refused("no other voter is up".to_owned()))),
        }
    }

    /// Makes a voter the leader, if this node leads.
    pub(crate) async fn hand_over_to(&self, to: NodeId) -> Result<NodeId, TransferError> {
        let refused = |reason: String| Err(TransferError::Refused(reason));
        let mut leadership = self.leadership.clone();
        let seen = *leadership.borrow_and_update();
        if !seen.is_self {
            return Err(TransferError::Unavailable("this node no longer leads".to_owned()));
        }
        if to == self.node {
            return Ok(to);
        }
        if !self.metrics().membership_config.voter_ids().any(|it| it == to.0) {
            return refused(format!("node {to} has no vote"));
        }
        if !self.is_alive(to) {
            return refused(format!("node {to} has not been heard of lately"));
        }
        // In the middle of a change the old voters are still needed, perhaps just the one that goes.
        let settled = tokio::time::timeout(LIMIT, self.settled()).await;
        if !settled.unwrap_or(false) {
            return Err(TransferError::Unavailable("the voters are being changed".to_owned()));
        }
        if let Err(error) = self.raft.trigger().transfer_leader(to.0).await {
            return Err(TransferError::Unavailable(error.to_string()));
        }
        let taken = leadership.wait_for(|it| it.leader.is_some() && it.term > seen.term);
        match tokio::time::timeout(LIMIT, taken).await {
            Ok(Ok(now)) => Ok(now.leader.unwrap_or(to)),
            Ok(Err(_)) => Err(TransferError::Unavailable("this node is stopping".to_owned())),
            Err(_) => Err(TransferError::Unavailable(format!(
                "node {to} did not take over in time"
            ))),
        }
    }

    /// Waits until no change of the membership is under way. False if this node has stopped.
    async fn settled(&self) -> bool {
        let mut metrics = self.raft.metrics();
        loop {
            let (now, committed) = {
                let metrics = metrics.borrow_and_update();
                (
                    metrics.membership_config.clone(),
                    metrics.committed_membership_config.clone(),
                )
            };
            if now == committed && now.membership().get_joint_config().len() == 1 {
                return true;
            }
            if metrics.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Whether the disk of a node is full, if this node leads.
    fn is_full(&self, node: NodeId) -> bool {
        let leases = self.leases.read();
        leases.is_some_and(|it| it.by_node.get(&node).is_some_and(|it| it.full))
    }

    /// Whether a node has been heard of just now, if this node leads.
    fn is_alive(&self, node: NodeId) -> bool {
        let leases = self.leases.read();
        let renewed = leases.and_then(|it| it.by_node.get(&node).map(|it| it.renewed));
        renewed.is_some_and(|it| Instant::now().saturating_duration_since(it) < self.timing.lease_renewal * 3)
    }
}
