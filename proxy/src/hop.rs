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
/// The proxy of the replica that was asked for has sent the request on to another.
const REROUTED: HeaderName = HeaderName::from_static("goblins-rerouted");
/// On an answer: another replica may be tried. See [`Refused`].
pub(crate) const REFUSED: HeaderName = HeaderName::from_static("goblins-refused");

/// On an answer: this proxy is about to stop; the next request had better go elsewhere.
const LEAVING: HeaderName = HeaderName::from_static("goblins-leaving");

/// Why another proxy gave a request back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was not passed on.
    Untouched,
    /// The replica closed the connection before it answered; doing it twice is as good as doing it once.
    Closed,
}

impl Refused {
    /// How it is told.
    pub(crate) fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Untouched => "1",
            Self::Closed => "closed",
        })
    }

    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(REFUSED)?;
        Some(if value == Self::Closed.value() {
            Self::Closed
        } else {
            Self::Untouched
        })
    }
}

/// A request that another proxy has handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handed {
    /// Which replica it is for.
    pub(crate) replica: ReplicaId,
    /// It had been handed over before: this is its last stop.
    pub(crate) rerouted: bool,
}

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

/// Names the replica that a request is for. `rerouted`: it was handed over to us, for another.
pub(crate) fn mark(headers: &mut HeaderMap, replica: ReplicaId, rerouted: bool) {
    if let Ok(id) = HeaderValue::from_str(&replica.to_string()) {
        headers.insert(REPLICA, id);
    }
    if rerouted {
        headers.insert(REROUTED, HeaderValue::from_static("1"));
    }
}

/// Tells the proxy that asked that this one is about to stop.
pub(crate) fn say_leaving(headers: &mut HeaderMap) {
    headers.insert(LEAVING, HeaderValue::from_static("1"));
}

/// Whether a proxy that answered is about to stop. Takes the mark off.
pub(crate) fn is_leaving(headers: &mut HeaderMap) -> bool {
    headers.remove(LEAVING).is_some()
}

/// The replica of a request that was handed over, and takes the mark off. `None` if it comes from a client.
pub(crate) fn take(headers: &mut HeaderMap, is_peer: bool) -> Result<Option<Handed>, Forged> {
    let rerouted = headers.remove(REROUTED).is_some();
    match (headers.remove(REPLICA), is_peer) {
        (None, false) => Ok(None),
        (Some(id), true) => {
            let id = id.to_str().ok().and_then(|it| Uuid::try_parse(it).ok());
            let replica = ReplicaId(id.ok_or(Forged)?);
            Ok(Some(Handed { replica, rerouted }))
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
        mark(&mut headers, replica, false);
        assert_eq!(take(&mut headers.clone(), false), Err(Forged));
        let rerouted = false;
        assert_eq!(take(&mut headers, true), Ok(Some(Handed { replica, rerouted })));
        mark(&mut headers, replica, true);
        let rerouted = true;
        assert_eq!(take(&mut headers, true), Ok(Some(Handed { replica, rerouted })));
        assert!(headers.is_empty(), "the mark is gone");
        headers.insert(REPLICA, HeaderValue::from_static("x"));
        assert_eq!(take(&mut headers, true), Err(Forged));
    }
}
