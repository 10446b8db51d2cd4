//! The cluster's own certificate authority. It lives as long as the cluster does and signs for nodes only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::{ClusterId, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use storage::{Keyring, seal_context};
use thiserror::Error;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::identity;

/// Clocks of one cluster differ a little: a certificate counts from this long before it was made.
pub(crate) const BACKDATED: Duration = Duration::from_secs(3600);
/// Longer than a cluster is kept without `goblins ca rotate`. Nothing checks it: the authority is trusted because it is
/// in the state, not because of its date.
const AUTHORITY_LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// Says in the sealed key what it is.
const SEALED_AS: &str = "certificate authority";

/// The authority with its private key. Is opened for one signature and forgotten.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// Why the authority cannot be used.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A key or certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
    /// What is in the state does not fit together.
    #[error("the cluster's certificate authority in the state cannot be used")]
    Damaged(#[source] rcgen::Error),
    /// What a node asks for is no request, or not signed with its own key.
    #[error("the request for a certificate is not genuine")]
    Request(#[source] rcgen::Error),
    /// The private key does not open with the keys of this node.
    #[error("the key of the cluster's certificate authority cannot be unsealed")]
    Sealed(#[source] storage::SealError),
    /// The clock is out of any range.
    #[error("this node's clock is out of range: set it")]
    Clock,
    /// This node has not learnt of an authority yet.
    #[error("this node does not know the cluster's certificate authority yet")]
    Unknown,
}

impl Authority {
    /// A new authority for a cluster.
    pub(crate) fn create(cluster: ClusterId, now: SystemTime) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate().map_err(AuthorityError::Make)?;
        let certificate = params(cluster, now)?.self_signed(&key).map_err(AuthorityError::Make)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            key,
        })
    }

    /// A certificate for the next authority's key, signed by this one: whoever trusts this one recognises by it what the
    /// next one signs. Never the other way round, or what this one signs would be recognised for ever.
    pub(crate) fn vouch_for(
        &self,
        next: &Self,
        cluster: ClusterId,
        now: SystemTime,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let signed = params(cluster, now)?
            .signed_by(&next.key, &self.issuer()?)
            .map_err(AuthorityError::Make)?;
        Ok(signed.der().clone())
    }

    fn issuer(&self) -> Result<Issuer<'_, &KeyPair>, AuthorityError> {
        Issuer::from_ca_cert_der(&self.certificate, &self.key).map_err(AuthorityError::Damaged)
    }

    /// The authority as the state holds it.
    pub(crate) fn seal(&self, cluster: ClusterId, keyring: &Keyring) -> Result<model::Authority, AuthorityError> {
        let key = Zeroizing::new(self.key.serialize_der());
        let key = keyring
            .seal(&authority_context(cluster), &key)
            .map_err(AuthorityError::Sealed)?;
        Ok(model::Authority {
            certificate: self.certificate.to_vec(),
            key,
        })
    }

    /// Opens the authority of the state.
    pub(crate) fn open(
        cluster: ClusterId,
        sealed: &model::Authority,
        keyring: &Keyring,
    ) -> Result<Self, AuthorityError> {
        let key = keyring
            .open(&authority_context(cluster), &sealed.key)
            .map_err(AuthorityError::Sealed)?;
        let key = PrivatePkcs8KeyDer::from(key.as_slice());
        Ok(Self {
            certificate: CertificateDer::from(sealed.certificate.clone()),
            key: KeyPair::try_from(&key).map_err(AuthorityError::Damaged)?,
        })
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Signs that the key in a request (PKCS #10, DER) is that of a node. Nothing else of the request is heeded.
    pub(crate) fn sign(
        &self,
        request: &[u8],
        (cluster, node): (ClusterId, NodeId),
        now: SystemTime,
        life: Duration,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let request = CertificateSigningRequestDer::from(request);
        let request = CertificateSigningRequestParams::from_der(&request).map_err(AuthorityError::Request)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(format!("Goblins node {node}"));
        let name = identity::name(cluster, node).try_into().map_err(AuthorityError::Make)?;
        params.subject_alt_names = vec![SanType::DnsName(name)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = span(now, life)?;
        let signed = params
            .signed_by(&request.public_key, &self.issuer()?)
            .map_err(AuthorityError::Make)?;
        Ok(signed.der().clone())
    }
}

/// What a join token ends with: SHA-256 of the authority's certificate.
pub(crate) fn digest_of(certificate: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
    bytes
}

/// What the certificate of an authority says.
fn params(cluster: ClusterId, now: SystemTime) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(format!("Goblins cluster {cluster}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    (params.not_before, params.not_after) = span(now, AUTHORITY_LIFE)?;
    Ok(params)
}

fn named(name: String) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// What the sealed key of a cluster's authority belongs to: whoever puts it under another cluster key needs this.
#[must_use]
pub fn authority_context(cluster: ClusterId) -> Vec<u8> {
    seal_context(SEALED_AS, &[cluster.0.as_bytes()])
}

/// From a little before now for this long.
fn span(now: SystemTime, life: Duration) -> Result<(OffsetDateTime, OffsetDateTime), AuthorityError> {
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = |it: Duration| {
        let seconds = i64::try_from(it.as_secs()).map_err(|_| AuthorityError::Clock)?;
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::Clock)
    };
    Ok((
        at(since_epoch.saturating_sub(BACKDATED))?,
        at(since_epoch.saturating_add(life))?,
    ))
}
