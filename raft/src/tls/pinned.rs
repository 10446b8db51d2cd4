//! How a new node recognises the cluster that it was told of: by the digest of the authority in its join token.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use thiserror::Error;

use super::{ALPN, provider};
use crate::authority::digest_of;
use crate::credentials::Credentials;
use crate::identity::{self, Certified};

/// The other end is not who the token is for.
#[derive(Debug, Error)]
#[error(
    "it is not the cluster that the token was made for (its authority is another one), so nothing was sent to it: check \
     the address and the token; if the authority was rotated since (`goblins ca status`), make a new token"
)]
struct OtherCluster;

/// A configuration that speaks only to nodes certified by the authority of this digest.
pub(crate) fn pinned(digest: [u8; 32]) -> Result<Arc<ClientConfig>, String> {
    let verifier = Pinned {
        digest,
        provider: provider(),
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|it| it.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Checks credentials that were handed out: that the authority is the one of the digest, that it signed the certificate,
/// and that the certificate counts now. Answers whom it names.
pub(crate) fn checked(credentials: &Credentials, digest: [u8; 32], now: UnixTime) -> Result<Certified, rustls::Error> {
    let verifier = Pinned {
        digest,
        provider: provider(),
    };
    let (certificate, others) = (&credentials.certificate, &credentials.chain()[1..]);
    verifier.verify(certificate, others, now)?;
    identity::read(&credentials.certificate).map_err(|it| CertificateError::Other(OtherError(Arc::new(it))).into())
}

#[derive(Debug)]
struct Pinned {
    digest: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let authority = others.iter().find(|it| digest_of(it) == self.digest);
        let authority = authority.ok_or_else(|| CertificateError::Other(OtherError(Arc::new(OtherCluster))))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let end_entity = ParsedCertificate::try_from(end_entity)?;
        // The authority itself has signed it, or, during a rotation, has signed the one that did.
        verify_server_cert_signed_by_trust_anchor(&end_entity, &roots, others, now, algorithms)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Which of the nodes it is does not matter: any may let others in.
        self.verify(end_entity, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General(
            "only TLS 1.3 is spoken between nodes".to_owned(),
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
