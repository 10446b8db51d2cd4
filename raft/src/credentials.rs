//! What a node proves with who it is: its key, its certificate, and the authorities that it trusts.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::authority::AuthorityError;
use crate::identity::{self, Certified, NoIdentity};

/// Columns of a line of PEM (RFC 7468).
const PEM_COLUMNS: usize = 64;

/// A key that has no certificate yet.
pub(crate) struct NewKey {
    key: Zeroizing<Vec<u8>>,
    request: Vec<u8>,
}

/// What a node proves with who it is.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// PKCS #8, DER. Never leaves this host.
    pub(crate) key: Zeroizing<Vec<u8>>,
    /// Its own.
    pub(crate) certificate: CertificateDer<'static>,
    /// The authorities that certificates of the cluster may come from; the first has signed its own.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    /// While the authority is rotated: the next one's certificate, signed by the one before. Not kept on the disk.
    pub(crate) bridge: Option<CertificateDer<'static>>,
}

/// Why a node's credentials cannot be used.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The file is not whole.
    #[error("it does not hold a private key, a certificate and an authority's certificate, in this order, as PEM")]
    Incomplete,
    /// Its certificate names nobody.
    #[error("its certificate cannot be used")]
    Certificate(#[source] NoIdentity),
}

impl NewKey {
    /// Makes a key (ECDSA P-256) and a request to certify it.
    pub(crate) fn generate() -> Result<Self, AuthorityError> {
        let key = KeyPair::generate().map_err(AuthorityError::Make)?;
        let request = CertificateParams::default()
            .serialize_request(&key)
            .map_err(AuthorityError::Make)?;
        Ok(Self {
            key: Zeroizing::new(key.serialize_der()),
            request: request.der().to_vec(),
        })
    }

    /// PKCS #10, DER.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }

    /// The key with what was signed for it.
    pub(crate) fn certified(
        self,
        certificate: CertificateDer<'static>,
        authority: CertificateDer<'static>,
    ) -> Credentials {
        Credentials {
            key: self.key,
            certificate,
            authorities: vec![authority],
            bridge: None,
        }
    }
}

impl Credentials {
    /// Whom the certificate names.
    pub(crate) fn certified(&self) -> Result<Certified, CredentialsError> {
        identity::read(&self.certificate).map_err(CredentialsError::Certificate)
    }

    /// Trusts these authorities besides the one that has signed, whatever was trusted before.
    pub(crate) fn trusting(
        mut self,
        trusted: &[CertificateDer<'static>],
        bridge: Option<CertificateDer<'static>>,
    ) -> Self {
        self.authorities.truncate(1);
        let others = trusted.iter().filter(|it| Some(*it) != self.authorities.first());
        let others: Vec<_> = others.cloned().collect();
        self.authorities.extend(others);
        self.bridge = bridge;
        self
    }

    /// Its certificate and those of the authorities: whoever joins has only seen a digest of one of the latter, and
    /// whoever was away during a rotation trusts only the one before.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        let own = [&self.certificate].into_iter().chain(self.authorities.first());
        let others = self.bridge.iter().chain(self.authorities.iter().skip(1));
        own.chain(others).cloned().collect()
    }

    /// As a file: PEM, the key first.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(Vec::new());
        section(&mut text, "PRIVATE KEY", &self.key);
        for certificate in [&self.certificate].into_iter().chain(&self.authorities) {
            section(&mut text, "CERTIFICATE", certificate);
        }
        text
    }

    /// Reads what [`Credentials::encode`] wrote.
    pub(crate) fn decode(text: &[u8]) -> Result<Self, CredentialsError> {
        let mut key = None;
        let mut certificates = Vec::new();
        for item in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            match item.map_err(|_| CredentialsError::Incomplete)? {
                (SectionKind::PrivateKey, der) if key.is_none() => key = Some(Zeroizing::new(der)),
                (SectionKind::Certificate, der) => certificates.push(CertificateDer::from(der)),
                (_, mut other) => {
                    other.zeroize();
                    return Err(CredentialsError::Incomplete);
                }
            }
        }
        let (Some(key), Some((certificate, authorities))) = (key, certificates.split_first()) else {
            return Err(CredentialsError::Incomplete);
        };
        if authorities.is_empty() {
            return Err(CredentialsError::Incomplete);
        }
        Ok(Self {
            key,
            certificate: certificate.clone(),
            authorities: authorities.to_vec(),
            bridge: None,
        })
    }

    /// The key as rustls takes it.
    pub(crate) fn private_key(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.to_vec())
    }
}

impl std::fmt::Debug for Credentials {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("certified", &self.certified())
            .finish_non_exhaustive()
    }
}

/// Seconds since 1970 by this host's clock.
pub(crate) fn clock() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

fn section(text: &mut Vec<u8>, label: &str, der: &[u8]) {
    let body = Zeroizing::new(STANDARD.encode(der));
    text.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in body.as_bytes().chunks(PEM_COLUMNS) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
}
