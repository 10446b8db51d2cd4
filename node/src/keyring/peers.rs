//! Asks other nodes. Every question has a deadline; a node that does not answer is left out and named.

use std::time::Duration;

use futures::future::join_all;
use model::NodeId;
use raft::Cluster;
use storage::{Import, KeyBundle, Keyring};
use thiserror::Error;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::Holding;
use super::proto::keyring_client::KeyringClient;
use super::proto::{Bundle, FetchRequest, ForgetRequest, ShowRequest};
use crate::adapters::chain;

/// How long a node may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// The other nodes of the cluster.
#[derive(Clone)]
pub(super) struct Peers(pub(super) Cluster);

/// Why another node did not do what it was asked.
#[derive(Clone, Debug, Error)]
pub(super) enum PeerError {
    /// It is not known whether it was asked at all.
    #[error("{0}")]
    Silent(String),
    /// It has another key under the same version.
    #[error("{0}")]
    Conflict(String),
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

impl PeerError {
    fn of(status: &Status) -> Self {
        let text = status.message().to_owned();
        match status.code() {
            Code::AlreadyExists => Self::Conflict(text),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Self::Silent(text),
            _ => Self::Refused(text),
        }
    }
}

impl Peers {
    /// All other nodes, as this node knows them.
    pub(super) fn ids(&self) -> Vec<NodeId> {
        let state = self.0.local();
        let others = state.nodes().map(|it| it.id).filter(|it| *it != self.0.node_id());
        others.collect()
    }

    /// Asks all other nodes at once.
    pub(super) async fn each<T, F>(&self, ask: impl Fn(Self, NodeId) -> F) -> Vec<(NodeId, Result<T, PeerError>)>
    where
        F: Future<Output = Result<T, PeerError>> + Send,
    {
        let ids = self.ids();
        let answers = join_all(ids.iter().map(|id| ask(self.clone(), *id))).await;
        ids.into_iter().zip(answers).collect()
    }

    /// What all other nodes hold.
    pub(super) async fn show_each(&self) -> Vec<(NodeId, Result<Holding, PeerError>)> {
        self.each(|peers, node| async move { peers.show(node).await }).await
    }

    /// What a node holds.
    pub(super) async fn show(&self, node: NodeId) -> Result<Holding, PeerError> {
        let answer = self.client(node)?;
        within(async { answer.clone().show(ShowRequest {}).await })
            .await
            .map(Into::into)
    }

    /// All keys of a node, and what it held when it gave them.
    pub(super) async fn fetch(&self, node: NodeId) -> Result<(KeyBundle, Holding), PeerError> {
        let client = self.client(node)?;
        let bundle: Bundle = within(async { client.clone().fetch(FetchRequest {}).await }).await?;
        let (keys, giver, _) = bundle.parts().map_err(|it| PeerError::Refused(chain(&it)))?;
        Ok((keys, giver))
    }

    /// Hands all keys of this node to another, which has them on its disk when this returns.
    pub(super) async fn offer(&self, node: NodeId, own: &Keyring, how: Import) -> Result<Holding, PeerError> {
        let client = self.client(node)?;
        let bundle = Bundle::of(own, how).map_err(|it| PeerError::Refused(chain(&it)))?;
        within(async { client.clone().offer(bundle).await })
            .await
            .map(Into::into)
    }

    /// Has a node forget its keys until the passphrase is given.
    pub(super) async fn forget(&self, node: NodeId) -> Result<Holding, PeerError> {
        let client = self.client(node)?;
        within(async { client.clone().forget(ForgetRequest {}).await })
            .await
            .map(Into::into)
    }

    fn client(&self, node: NodeId) -> Result<KeyringClient<Channel>, PeerError> {
        let channel = self.0.channel_to(node);
        channel
            .map(KeyringClient::new)
            .map_err(|it| PeerError::Silent(it.to_string()))
    }
}

async fn within<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, PeerError> {
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(PeerError::of(&status)),
        Err(_) => Err(PeerError::Silent(format!("no answer within {LIMIT:?}"))),
    }
}
