//! Keeps this node certified: a new key and certificate well before the old one ends, while connections go on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use model::NodeId;
use rustls::pki_types::{CertificateDer, UnixTime};

use crate::authority::{Authority, AuthorityError, BACKDATED, digest_of};
use crate::cluster::Core;
use crate::credentials::{NewKey, clock};
use crate::identity::Certified;
use crate::proto::RenewRequest;
use crate::proto::cluster_client::ClusterClient;
use crate::transport::{self, Purpose};
use crate::{StartError, error, tls};

/// How often the certificate is looked at, unless it lives for minutes only.
const LOOK: Duration = Duration::from_secs(60);
/// Looks in the life of a certificate at least.
const LOOKS: u32 = 50;
/// How long the leader may take to certify.
const LIMIT: Duration = Duration::from_secs(5);

/// Renews for as long as the node runs.
pub(crate) async fn run(core: Arc<Core>) {
    let mut ticks = tokio::time::interval(LOOK.min(core.timing.certificate_life / LOOKS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(stage) = core.tls.current().map(|it| stage(&it.certified, clock())) else {
            continue;
        };
        if stage == Stage::Fresh {
            continue;
        }
        let renewed = match core.renew().await {
            Ok(()) => Ok(()),
            Err(error) => {
                // This node has all that it takes, unless its keyring is locked.
                tracing::debug!(error = error::chain(&error), "the leader does not certify this node");
                core.certify_self()
            }
        };
        match renewed {
            Ok(()) => tracing::info!("this node has a new certificate"),
            Err(error) => tracing::warn!(
                error = error::chain(&error),
                "this node's certificate was not renewed, trying again"
            ),
        }
    }
}

/// How far a certificate is through its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// In its first two thirds.
    Fresh,
    /// To be renewed.
    Due,
    /// In its last twelfth, or at its end.
    Late,
}

/// Judges by the time in seconds since 1970.
pub(crate) fn stage(certified: &Certified, now: i64) -> Stage {
    let made = certified
        .from
        .saturating_add(i64::try_from(BACKDATED.as_secs()).unwrap_or(0));
    let life = certified.until.saturating_sub(made).max(1);
    let age = now.saturating_sub(made);
    if age < life / 3 * 2 {
        Stage::Fresh
    } else if age < life / 12 * 11 {
        Stage::Due
    } else {
        Stage::Late
    }
}

impl Core {
    /// The cluster's authority with its private key.
    pub(crate) fn authority(&self) -> Result<Authority, AuthorityError> {
        let state = self.published.state();
        let sealed = state.cluster().map(|it| &it.authority).ok_or(AuthorityError::Unknown)?;
        Authority::open(self.cluster, sealed, &self.keyring)
    }

    /// Certifies the key of a node. Answers the certificate, and that of the authority.
    pub(crate) fn certify(
        &self,
        request: &[u8],
        node: NodeId,
    ) -> Result<(CertificateDer<'static>, CertificateDer<'static>), AuthorityError> {
        let authority = self.authority()?;
        let whom = (self.cluster, node);
        let certificate = authority.sign(request, whom, SystemTime::now(), self.timing.certificate_life)?;
        Ok((certificate, authority.certificate().clone()))
    }

    /// Gives this node a new certificate without asking anybody. Every member has the keys for that, so it comes back
    /// also after all were off for longer than certificates live.
    pub(crate) fn certify_self(&self) -> Result<(), StartError> {
        let key = NewKey::generate().map_err(StartError::Authority)?;
        let certified = self.certify(key.request(), self.node).map_err(StartError::Authority)?;
        self.adopt(key, certified)
    }

    /// Certifies this node if it cannot prove to the cluster of today who it is.
    pub(crate) fn ensure_certified(&self) -> Result<(), StartError> {
        let state = self.published.state();
        let known = state.cluster().map(|it| digest_of(&it.authority.certificate));
        match self.tls.current() {
            Some(current) => {
                let is_current = known.is_none_or(|it| it == digest_of(&current.authority));
                if is_current && stage(&current.certified, clock()) != Stage::Late {
                    return Ok(());
                }
                tracing::info!("this node's certificate has ended, or its authority is no longer the cluster's");
            }
            None => tracing::info!("this node has no certificate"),
        }
        self.certify_self()
    }

    /// Has the leader certify a new key of this node.
    async fn renew(&self) -> Result<(), StartError> {
        let seen = *self.leadership.borrow();
        let setup = |reason: String| StartError::Setup(reason);
        let Some(leader) = seen.leader else {
            return Err(setup("no leader is known".to_owned()));
        };
        if seen.is_self {
            return self.certify_self();
        }
        let key = NewKey::generate().map_err(StartError::Authority)?;
        let address = self.links.address_of(leader.0);
        let address = address.ok_or_else(|| setup("the leader's address is not known".to_owned()))?;
        let link = self.links.to(leader.0, &address, Purpose::Service);
        let request = RenewRequest {
            route: Some(self.links.route(leader.0)),
            key_request: Bytes::copy_from_slice(key.request()),
        };
        let channel = link.channel().map_err(|it| setup(transport::describe(&it)))?;
        let mut client = ClusterClient::new(channel);
        let answer = tokio::time::timeout(LIMIT, client.renew(request)).await;
        let reply = match answer {
            Ok(Ok(reply)) => reply.into_inner(),
            Ok(Err(status)) => {
                self.links.heed(&status);
                return Err(setup(transport::describe(&status)));
            }
            Err(_) => {
                link.reset();
                return Err(setup("the leader does not answer in time".to_owned()));
            }
        };
        let certificate = CertificateDer::from(reply.certificate.to_vec());
        let authority = CertificateDer::from(reply.authority.to_vec());
        self.adopt(key, (certificate, authority))
    }

    /// Keeps a new certificate on the disk, then uses it for new connections.
    fn adopt(
        &self,
        key: NewKey,
        (certificate, authority): (CertificateDer<'static>, CertificateDer<'static>),
    ) -> Result<(), StartError> {
        let digest = digest_of(&authority);
        let credentials = key.certified(certificate, authority);
        let certified = tls::checked(&credentials, digest, UnixTime::now())
            .map_err(|it| StartError::Setup(tls::explain(&std::io::Error::other(it))))?;
        if (certified.cluster, certified.node) != (self.cluster, self.node) {
            return Err(StartError::Setup("the new certificate is for another node".to_owned()));
        }
        self.credentials.write(&credentials.encode())?;
        self.tls.install(&credentials)
    }
}

#[cfg(test)]
mod tests {
    use model::ClusterId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_certificate_is_renewed_in_its_last_third() {
        let certified = Certified {
            cluster: ClusterId(Uuid::nil()),
            node: NodeId(1),
            from: 10_000 - 3_600,
            until: 10_000 + 1_200,
        };
        for (age, expected) in [
            (-100, Stage::Fresh),
            (799, Stage::Fresh),
            (800, Stage::Due),
            (1_099, Stage::Due),
            (1_100, Stage::Late),
            (9_999, Stage::Late),
        ] {
            assert_eq!(stage(&certified, 10_000 + age), expected, "{age}");
        }
    }
}
