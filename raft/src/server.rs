//! What this node answers to others.

mod cluster_service;
mod raft_service;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;

use self::cluster_service::ClusterService;
use self::raft_service::RaftService;
use crate::cluster::Core;
use crate::proto::cluster_server::ClusterServer;
use crate::proto::raft_server::RaftServer;
use crate::transport::MESSAGE_BYTES_MAX;

/// How soon a connection whose other end has vanished is given up.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Serves peers until it is dropped.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener, others: Option<Routes>) {
    let raft = RaftServer::new(RaftService::new(core.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let cluster = ClusterServer::new(ClusterService::new(core))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let served = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_routes(others.unwrap_or_default())
        .add_service(raft)
        .add_service(cluster)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await;
    if let Err(error) = served {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "peers can no longer be served"
        );
    }
}
