//! A cluster's certificates, made for a test.

use std::sync::Arc;

use model::NodeId;
use proxy::Peers;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The only name that certificates have here.
const NAME: &str = "node.test";

/// Proxies that trust each other because one authority signed their certificates.
#[derive(Clone)]
pub struct FakePeers {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
    /// Whether whoever is certified is still a member.
    pub members: bool,
}

impl FakePeers {
    /// Of a cluster with an authority of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &authority).expect("signed").der().clone();
        let private = || PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("a root");
        let provider = Arc::new(default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider.clone());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients.build().expect("a verifier"))
            .with_single_cert(vec![certificate.clone()], private())
            .expect("a pair");
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], private())
            .expect("a pair");
        Self {
            server: Arc::new(server),
            client: Arc::new(client),
            members: true,
        }
    }
}

impl Peers for FakePeers {
    fn server(&self) -> Option<Arc<ServerConfig>> {
        Some(self.server.clone())
    }

    fn client(&self, _node: NodeId) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        Some((self.client.clone(), NAME.try_into().expect("a name")))
    }

    fn member(&self, _certificate: &CertificateDer<'_>) -> Option<NodeId> {
        self.members.then_some(NodeId(1))
    }
}
