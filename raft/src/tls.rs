//! TLS 1.3 between nodes, with both ends certified by the cluster's authority. What is used for new connections can be
//! replaced at any time; those that are open go on.

mod explain;
mod pinned;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use model::{ClusterId, NodeId};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub(crate) use self::explain::{explain, time};
pub(crate) use self::pinned::{checked, pinned};
use crate::StartError;
use crate::credentials::Credentials;
use crate::identity::{self, Certified};

/// HTTP/2 is all that is spoken.
const ALPN: &[u8] = b"h2";

/// What new connections are made with.
pub(crate) struct Tls {
    cluster: ClusterId,
    current: ArcSwapOption<Current>,
}

/// Made from one set of credentials.
pub(crate) struct Current {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
    /// Of this node's own certificate.
    pub(crate) certified: Certified,
    /// What both were made from.
    pub(crate) credentials: Credentials,
}

impl Tls {
    /// Without credentials; nothing can be connected until some are installed.
    pub(crate) fn new(cluster: ClusterId) -> Self {
        Self {
            cluster,
            current: ArcSwapOption::empty(),
        }
    }

    /// Uses these credentials for new connections.
    pub(crate) fn install(&self, credentials: &Credentials) -> Result<(), StartError> {
        let current = configure(credentials).map_err(StartError::Setup)?;
        self.current.store(Some(Arc::new(current)));
        Ok(())
    }

    pub(crate) fn current(&self) -> Option<Arc<Current>> {
        self.current.load_full()
    }

    /// What the certificate of a node must name.
    pub(crate) fn name_of(&self, node: NodeId) -> Result<ServerName<'static>, String> {
        ServerName::try_from(identity::name(self.cluster, node)).map_err(|it| it.to_string())
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let certified = self.current().map(|it| it.certified);
        f.debug_struct("Tls")
            .field("certified", &certified)
            .finish_non_exhaustive()
    }
}

fn configure(credentials: &Credentials) -> Result<Current, String> {
    let certified = credentials.certified().map_err(|it| crate::error::chain(&it))?;
    if credentials.authorities.is_empty() {
        return Err("no certificate authority is known".to_owned());
    }
    let roots = Arc::new(roots(&credentials.authorities)?);
    let text = |it: &dyn std::error::Error| crate::error::chain(it);
    let key = || PrivateKeyDer::Pkcs8(credentials.private_key());

    let servers = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider());
    let servers = servers.build().map_err(|it| text(&it))?;
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|it| text(&it))?
        .dangerous()
        .with_custom_certificate_verifier(servers)
        .with_client_auth_cert(credentials.chain(), key())
        .map_err(|it| text(&it))?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would be taken without a look at certificates.
    client.resumption = Resumption::disabled();

    // Those who have no certificate yet may ask for one, and for nothing else: see `guard`.
    let clients = WebPkiClientVerifier::builder_with_provider(roots, provider()).allow_unauthenticated();
    let clients = clients.build().map_err(|it| text(&it))?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|it| text(&it))?
        .with_client_cert_verifier(clients)
        .with_single_cert(credentials.chain(), key())
        .map_err(|it| text(&it))?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.send_tls13_tickets = 0;
    Ok(Current {
        server: Arc::new(server),
        client: Arc::new(client),
        certified,
        credentials: credentials.clone(),
    })
}

fn roots(authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(|it| it.to_string())?;
    }
    Ok(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests;
