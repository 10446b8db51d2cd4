//! Asks other nodes. Every question has a deadline; a node that does not answer, or lacks what is asked for, is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent::{PeerBlob, Peers, Progress};
use async_trait::async_trait;
use futures::StreamExt;
use futures::future::join_all;
use model::{NodeId, State};
use raft::Cluster;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::Channel;

use super::Shelf;
use super::proto::images_client::ImagesClient;
use super::proto::{FetchRequest, Piece, PullsRequest};

/// How long a node may take to say whether it has a blob.
const ASKING: Duration = Duration::from_secs(3);
/// Between two pieces.
const STALL: Duration = Duration::from_secs(15);
/// How long a node may take to tell of its pulls: a person waits for it.
const LOOK: Duration = Duration::from_millis(500);

/// The nodes of the cluster, and what this one has itself.
#[derive(Clone)]
pub(crate) struct Others {
    cluster: Cluster,
    own: Shelf,
}

#[async_trait]
impl Peers for Others {
    async fn blob(&self, image: &str, digest: &str) -> Option<PeerBlob> {
        let state = self.cluster.local();
        for node in likely(&state, self.cluster.node_id(), image) {
            if let Some(bytes) = self.fetch(node, image, digest).await {
                let node = state.node(node).map_or_else(|| node.to_string(), |it| it.name.clone());
                return Some(PeerBlob {
                    node,
                    bytes: bytes.boxed(),
                });
            }
        }
        None
    }
}

impl Others {
    pub(crate) fn new(cluster: Cluster, own: Shelf) -> Self {
        Self { cluster, own }
    }

    async fn fetch(
        &self,
        node: NodeId,
        image: &str,
        digest: &str,
    ) -> Option<impl futures::Stream<Item = Result<bytes::Bytes, std::io::Error>> + Send + 'static> {
        let mut client = self.client(node)?;
        let request = FetchRequest {
            image: image.to_owned(),
            digest: digest.to_owned(),
        };
        let asked = async {
            let mut stream = client.fetch(request).await?.into_inner();
            // An answer without a first piece is none.
            let first = stream.message().await?;
            Ok::<_, tonic::Status>(first.map(|it| (it, stream)))
        };
        match timeout(ASKING, asked).await {
            Ok(Ok(first)) => {
                let (first, rest) = first?;
                Some(pieces(first, rest))
            }
            Ok(Err(status)) => {
                tracing::debug!(%node, image, digest, status = status.message(), "a node does not have a blob");
                None
            }
            Err(_) => {
                tracing::debug!(%node, image, digest, "a node does not say whether it has a blob");
                None
            }
        }
    }

    /// The pulls of these nodes that are under way, by the reference that is pulled. Those that do not answer soon are
    /// left out.
    pub(crate) async fn pulls(&self, nodes: &BTreeSet<NodeId>) -> BTreeMap<(NodeId, String), Progress> {
        let told = join_all(nodes.iter().map(|node| self.pulls_of(*node))).await;
        let of_node = |(node, pulls): (&NodeId, BTreeMap<String, Progress>)| {
            let node = *node;
            pulls.into_iter().map(move |(image, it)| ((node, image), it))
        };
        nodes.iter().zip(told).flat_map(of_node).collect()
    }

    async fn pulls_of(&self, node: NodeId) -> BTreeMap<String, Progress> {
        if node == self.cluster.node_id() {
            return self.own.progress();
        }
        let Some(mut client) = self.client(node) else {
            return BTreeMap::new();
        };
        let Ok(Ok(reply)) = timeout(LOOK, client.pulls(PullsRequest {})).await else {
            return BTreeMap::new();
        };
        let pulls = reply.into_inner().pulls.into_iter();
        pulls
            .map(|it| {
                let progress = Progress {
                    done: it.done,
                    total: it.total,
                };
                (it.image, progress)
            })
            .collect()
    }

    fn client(&self, node: NodeId) -> Option<ImagesClient<Channel>> {
        Some(ImagesClient::new(self.cluster.channel_to(node).ok()?))
    }
}

/// The pieces of a blob; one that is late ends it with an error.
fn pieces(
    first: Piece,
    rest: Streaming<Piece>,
) -> impl futures::Stream<Item = Result<bytes::Bytes, std::io::Error>> + Send + 'static {
    let rest = futures::stream::try_unfold(rest, |mut rest| async move {
        let piece = timeout(STALL, rest.message()).await;
        let piece = piece.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?;
        let piece = piece.map_err(|status| std::io::Error::other(status.message().to_owned()))?;
        Ok(piece.map(|it| (it.data, rest)))
    });
    futures::stream::iter([Ok(first.data)]).chain(rest)
}

/// Other nodes that are up and run containers: first those that run this image, then the rest. Each node begins at
/// another one, so that not all of them ask the same.
fn likely(state: &State, me: NodeId, image: &str) -> Vec<NodeId> {
    let others = state.nodes().filter(|it| it.id != me && it.is_up() && it.runs_agent);
    let mut others: Vec<_> = others.map(|it| it.id).collect();
    if !others.is_empty() {
        let begin = usize::try_from(me.0).unwrap_or(0) % others.len();
        others.rotate_left(begin);
    }
    let runs = |node: &NodeId| {
        let pin = |it: &model::Replica| state.image_pin(it.deployment).is_some_and(|pin| pin.digest == image);
        state.replicas_on(*node).any(pin)
    };
    let (have, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(runs);
    have.into_iter().chain(rest).collect()
}
