//! How a connection is opened: TCP, then TLS with the certificate of the node that is meant.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use model::NodeId;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::complaints::Complaints;
use crate::ground::{Wire, Wires};
use crate::tls::{Tls, explain};

/// A peer in the same data centre answers a connection at once or not at all.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// A handshake is two round trips and two signatures, on a host that may be busy.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(2);
/// How soon a connection whose other end has vanished is given up: one interval and one limit.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// What a new node calls whoever lets it in.
const ANY_NODE: &str = "join.goblins";

/// Who must answer.
#[derive(Clone, Debug)]
pub(crate) enum Whom {
    /// This member, and nobody else.
    Member(Arc<Tls>, NodeId, Arc<Complaints>),
    /// Whoever this configuration accepts.
    Anybody(Arc<ClientConfig>),
}

/// A connection that is opened when it is first used, and again whenever it has broken.
pub(super) fn channel(address: &str, whom: Whom, wires: Arc<dyn Wires>) -> Result<Channel, tonic::Status> {
    // TLS is below; to tonic this is a plain stream.
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| tonic::Status::invalid_argument(format!("`{address}` is not a peer address: {error}")))?;
    let connector = service_fn(move |uri: Uri| {
        let (whom, wires) = (whom.clone(), wires.clone());
        async move { open(&uri, &whom, &*wires).await.map(TokioIo::new) }
    });
    let channel = endpoint
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector);
    Ok(channel)
}

async fn open(uri: &Uri, whom: &Whom, wires: &dyn Wires) -> io::Result<TlsStream<Wire>> {
    let address = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let (config, name) = match whom {
        Whom::Member(tls, node, _) => {
            let current = tls
                .current()
                .ok_or_else(|| io::Error::other("this node has no certificate yet"))?;
            (current.client.clone(), tls.name_of(*node).map_err(io::Error::other)?)
        }
        Whom::Anybody(config) => (
            config.clone(),
            ServerName::try_from(ANY_NODE).map_err(io::Error::other)?,
        ),
    };
    let connected = tokio::time::timeout(CONNECT_LIMIT, wires.connect(address)).await;
    let wire = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    match tokio::time::timeout(HANDSHAKE_LIMIT, TlsConnector::from(config).connect(name, wire)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            let reason = explain(&error);
            // A host that is off is nothing to tell; one that is taken for somebody else is.
            if let Whom::Member(_, node, complaints) = whom
                && is_quarrel(&error)
                && complaints.is_due()
            {
                tracing::warn!(%node, address, reason, "no connection to a peer");
            }
            Err(io::Error::new(error.kind(), reason))
        }
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the TLS handshake did not end in time",
        )),
    }
}

/// Whether a connection was given up because of what the other end has shown; not because of the network.
pub(super) fn is_quarrel(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}
