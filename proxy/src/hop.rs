//! Requests that one proxy hands over to another: over TLS with both ends certified by the cluster, and named by
//! replica.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use model::{NodeId, ReplicaId};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use uuid::Uuid;

/// Which replica the request is for.
pub(crate) const REPLICA: HeaderName = HeaderName::from_static("goblins-replica");
/// On an answer: this proxy did not pass the request on, another replica may be tried.
pub(crate) const REFUSED: HeaderName = HeaderName::from_static("goblins-refused");

/// What the proxies of a cluster prove with to each other that they belong to it. Asked for each new connection, so that
/// a renewed certificate is used at once.
pub trait Peers: Send + Sync + 'static {
    /// To take connections of other proxies. It must ask for certificates, and check them. `None` while this node has
    /// no certificate of its own.
    fn server(&self) -> Option<Arc<ServerConfig>>;

    /// To connect to the proxy of a node, and the name that its certificate must have.
    fn client(&self, node: NodeId) -> Option<(Arc<ClientConfig>, ServerName<'static>)>;

    /// Which member showed this certificate, which has been checked; `None` if it is none any more.
    fn member(&self, certificate: &CertificateDer<'_>) -> Option<NodeId>;
}

/// A request names a replica, and does not come from a proxy of the cluster; or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

/// Names the replica that a request is for.
pub(crate) fn mark(headers: &mut HeaderMap, replica: ReplicaId) {
    if let Ok(id) = HeaderValue::from_str(&replica.to_string()) {
        headers.insert(REPLICA, id);
    }
}

/// The replica of a request that was handed over, and takes the mark off. `None` if it comes from a client.
pub(crate) fn take(headers: &mut HeaderMap, is_peer: bool) -> Result<Option<ReplicaId>, Forged> {
    match (headers.remove(REPLICA), is_peer) {
        (None, false) => Ok(None),
        (Some(id), true) => {
            let id = id.to_str().ok().and_then(|it| Uuid::try_parse(it).ok());
            id.map(|it| Some(ReplicaId(it))).ok_or(Forged)
        }
        (Some(_), false) | (None, true) => Err(Forged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_peer_names_a_replica_and_it_always_does() {
        let replica = ReplicaId(Uuid::from_u128(5));
        let mut headers = HeaderMap::new();
        assert_eq!(take(&mut headers, false), Ok(None));
        assert_eq!(take(&mut headers, true), Err(Forged));
        mark(&mut headers, replica);
        assert_eq!(take(&mut headers.clone(), false), Err(Forged));
        assert_eq!(take(&mut headers, true), Ok(Some(replica)));
        assert!(headers.is_empty(), "the mark is gone");
        headers.insert(REPLICA, HeaderValue::from_static("x"));
        assert_eq!(take(&mut headers, true), Err(Forged));
    }
}
