//! Answers other nodes. Who calls is a member of this cluster: the peer port lets nobody else through.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agent::{Containerd, Progress};
use futures::StreamExt;
use raft::{Caller, Cluster};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::proto::images_server::{Images as Rpc, ImagesServer};
use super::proto::{self, FetchRequest, Piece, PullsReply, PullsRequest};
use crate::adapters::chain;

/// Larger than a digest and a reference.
const LARGEST: usize = 64 * 1024;
/// Blobs sent at the same time; more would only share the wire.
const AT_ONCE: usize = 4;
/// Pieces on their way to one node.
const AHEAD: usize = 2;
/// The most of a blob that is sent at a time.
const PIECE: usize = 1024 * 1024;
/// A node that takes nothing for so long has gone.
const STALL: Duration = Duration::from_secs(30);

/// The images of this node, for others. The peer port is open before there is a containerd: until then others are told
/// to ask elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<OnceLock<Stock>>);

/// What the answers are made from.
struct Stock {
    cluster: Cluster,
    runtime: Arc<Containerd>,
    /// Where blobs are read: handlers run on the threads of consensus.
    threads: Handle,
    turns: Arc<Semaphore>,
}

impl Shelf {
    /// From now on calls are answered. Has to be called on the runtime that is to read blobs.
    pub(crate) fn fill(&self, cluster: Cluster, runtime: Arc<Containerd>) {
        // A second time it is the same one.
        let _ = self.0.set(Stock {
            cluster,
            runtime,
            threads: Handle::current(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        });
    }

    /// The pulls of this node that are under way.
    pub(super) fn progress(&self) -> BTreeMap<String, Progress> {
        self.0.get().map(|it| it.runtime.progress()).unwrap_or_default()
    }

    /// The service, for the peer port.
    pub(crate) fn service(&self) -> ImagesServer<impl Rpc> {
        ImagesServer::new(Service(self.clone())).max_decoding_message_size(LARGEST)
    }
}

struct Service(Shelf);

impl Service {
    fn stock(&self) -> Result<&Stock, Status> {
        let nothing = || Status::unavailable("this node runs no containers, or is starting");
        self.0.0.get().ok_or_else(nothing)
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    type FetchStream = ReceiverStream<Result<Piece, Status>>;

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let caller = caller(&request)?;
        let FetchRequest { image, digest } = request.into_inner();
        let stock = self.stock()?;
        // Nothing else leaves this host: not what other programs keep in containerd, nor what no deployment runs.
        if !stock.cluster.local().image_pins().any(|it| it.digest == image) {
            return Err(Status::not_found(format!("no deployment runs {image}")));
        }
        let turn = Arc::clone(&stock.turns).try_acquire_owned();
        let turn = turn.map_err(|_| Status::resource_exhausted("this node is giving images to others already"))?;
        let content = stock.runtime.content();
        let (send, receive) = mpsc::channel(AHEAD);
        let opened = stock.threads.spawn(async move {
            let blob = content.open(&image, &digest).await;
            let blob = blob.map_err(|error| Status::unavailable(chain(&error)))?;
            let blob = blob.ok_or_else(|| Status::not_found(format!("{digest} is not here")))?;
            tracing::info!(node = %caller.0, image, digest, "gives a blob to another node");
            Ok::<_, Status>(blob)
        });
        let mut blob = opened.await.map_err(|error| Status::internal(error.to_string()))??;
        stock.threads.spawn(async move {
            let _turn = turn;
            while let Some(read) = blob.next().await {
                let pieces = match read {
                    Ok(mut bytes) => {
                        let mut pieces = Vec::new();
                        while !bytes.is_empty() {
                            pieces.push(Ok(Piece {
                                data: bytes.split_to(bytes.len().min(PIECE)),
                            }));
                        }
                        pieces
                    }
                    Err(error) => vec![Err(Status::unavailable(chain(&error)))],
                };
                for piece in pieces {
                    if !matches!(timeout(STALL, send.send(piece)).await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receive)))
    }

    async fn pulls(&self, request: Request<PullsRequest>) -> Result<Response<PullsReply>, Status> {
        caller(&request)?;
        let pulls = self.stock()?.runtime.progress().into_iter();
        let pulls = pulls.map(|(image, it)| proto::Pull {
            image,
            done: it.done,
            total: it.total,
        });
        Ok(Response::new(PullsReply { pulls: pulls.collect() }))
    }
}

/// Which node calls.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let nobody = || Status::unauthenticated("only nodes of this cluster may call this");
    request.extensions().get().copied().ok_or_else(nobody)
}
