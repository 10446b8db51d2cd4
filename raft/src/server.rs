//! What this node answers to others.

mod admission_service;
mod cluster_service;
mod forwarded;
mod guard;
mod raft_service;

use std::sync::Arc;
use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

use self::admission_service::AdmissionService;
use self::cluster_service::ClusterService;
pub use self::guard::Caller;
use self::guard::GuardLayer;
use self::raft_service::RaftService;
use crate::cluster::Core;
use crate::ground::Incoming;
use crate::proto::admission_server::AdmissionServer;
use crate::proto::cluster_server::ClusterServer;
use crate::proto::raft_server::RaftServer;
use crate::transport::{self, MESSAGE_BYTES_MAX};

/// How soon a connection whose other end has vanished is given up.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// What somebody who has proved nothing yet may make this node hold in memory: a request to join has a few kilobytes.
const STRANGER_BYTES_MAX: usize = 64 << 10;

/// Serves peers until it is dropped.
pub(crate) async fn serve(core: Arc<Core>, listener: Box<dyn Incoming>, others: Option<Routes>) {
    let raft = RaftServer::new(RaftService::new(core.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let cluster = ClusterServer::new(ClusterService::new(core.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let admission =
        AdmissionServer::new(AdmissionService::new(core.clone())).max_decoding_message_size(STRANGER_BYTES_MAX);
    let (ready, secured) = transport::queue();
    let accepting = transport::accept(listener, core.tls.clone(), ready);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .layer(GuardLayer(core))
        .add_routes(others.unwrap_or_default())
        .add_service(raft)
        .add_service(cluster)
        .add_service(admission)
        .serve_with_incoming(ReceiverStream::new(secured));
    let served = tokio::select! {
        served = serving => served,
        () = accepting => Ok(()),
    };
    if let Err(error) = served {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "peers can no longer be served"
        );
    }
}
