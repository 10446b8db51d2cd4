//! The node's certificates, for connections to other nodes that other rooms make.

use std::sync::Arc;

use model::NodeId;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};

use crate::cluster::Core;
use crate::identity;

/// What this node proves with that it belongs to the cluster, and how it knows others that do. Cheap to clone. What it
/// gives is for one connection each: certificates are renewed while the node runs.
#[derive(Clone)]
pub struct PeerTls {
    core: Arc<Core>,
    /// The protocol spoken over the connections (ALPN, RFC 7301), so that none is taken for another.
    protocol: &'static [u8],
}

impl PeerTls {
    pub(crate) fn new(core: Arc<Core>, protocol: &'static [u8]) -> Self {
        Self { core, protocol }
    }

    /// To take connections. Whoever shows a certificate is checked; that one was shown, and whose, is for
    /// [`PeerTls::member`] to say. `None` while this node has no certificate.
    #[must_use]
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        let current = self.core.tls.current()?;
        let mut config = ServerConfig::clone(&current.server);
        config.alpn_protocols = vec![self.protocol.to_vec()];
        Some(Arc::new(config))
    }

    /// To connect to a node, and the name that its certificate must have.
    #[must_use]
    pub fn client(&self, node: NodeId) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        let current = self.core.tls.current()?;
        let mut config = ClientConfig::clone(&current.client);
        config.alpn_protocols = vec![self.protocol.to_vec()];
        Some((Arc::new(config), self.core.tls.name_of(node).ok()?))
    }

    /// Which node showed this certificate, which has been checked; `None` if it was removed from the cluster.
    #[must_use]
    pub fn member(&self, certificate: &CertificateDer<'_>) -> Option<NodeId> {
        let certified = identity::read(certificate).ok()?;
        let is_ours = certified.cluster == self.core.cluster && !self.core.is_removed(certified.node);
        is_ours.then_some(certified.node)
    }
}
