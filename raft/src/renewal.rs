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
use crate::trust::{Step, Wanted};
use crate::{StartError, error, tls};

/// How often the certificate is looked at, unless it lives for minutes only.
const LOOK: Duration = Duration::from_secs(60);
/// Looks in the life of a certificate at least.
const LOOKS: u32 = 50;
/// How soon to try again what did not succeed.
const RETRY: Duration = Duration::from_secs(1);
/// How long the leader may take to certify.
const LIMIT: Duration = Duration::from_secs(5);

/// Keeps certificate and trust as the state wants them, for as long as the node runs.
pub(crate) async fn run(core: Arc<Core>) {
    let look = LOOK.min(core.timing.certificate_life / LOOKS);
    let mut feed = core.published.watch();
    loop {
        match core.look_after_credentials().await {
            Ok(()) => tokio::select! {
                changed = feed.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(look) => {}
            },
            // Changes are not waited for: each would be another attempt.
            Err(error) => {
                tracing::warn!(
                    error = error::chain(&error),
                    "this node's certificate is not as it should be, trying again"
                );
                tokio::time::sleep(RETRY.min(look)).await;
            }
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
        match self.tls.current() {
            Some(current) => {
                // Whether it is from the right authority shows once this node has caught up: see `run`.
                if stage(&current.certified, clock()) != Stage::Late {
                    return Ok(());
                }
                tracing::info!("this node's certificate has ended");
            }
            None => tracing::info!("this node has no certificate"),
        }
        self.certify_self()
    }

    /// Does what is to be done for this node's credentials, if anything is.
    async fn look_after_credentials(&self) -> Result<(), StartError> {
        let (Some(current), Some(wanted)) = (self.tls.current(), Wanted::of(&self.published.state())) else {
            return Ok(());
        };
        let stage = stage(&current.certified, clock());
        if wanted.step(&current.credentials, stage) == Step::Nothing {
            return Ok(());
        }
        // What is here may be older than what the certificate was made by: a node that is catching up passes through
        // authorities that are long gone.
        let wanted = match self.read().await {
            Ok(state) => Wanted::of(&state).unwrap_or(wanted),
            // Perhaps nobody can be reached just because of this certificate.
            Err(_) if stage == Stage::Late => return self.certify_self(),
            Err(error) => return Err(StartError::Setup(error.to_string())),
        };
        match wanted.step(&current.credentials, stage) {
            Step::Nothing => Ok(()),
            Step::Trust => self.trust(&wanted),
            Step::Renew => {
                if let Err(error) = self.renew().await {
                    // This node has all that it takes, unless its keyring is locked.
                    tracing::debug!(error = error::chain(&error), "the leader does not certify this node");
                    self.certify_self()?;
                }
                tracing::info!("this node has a new certificate");
                Ok(())
            }
        }
    }

    /// Trusts the authorities that the state names, under the certificate that this node has.
    fn trust(&self, wanted: &Wanted) -> Result<(), StartError> {
        let Some(current) = self.tls.current() else {
            return Ok(());
        };
        let credentials = current.credentials.clone();
        let credentials = credentials.trusting(&wanted.trusted(), wanted.bridge.clone());
        self.credentials.write(&credentials.encode())?;
        self.tls.install(&credentials)?;
        let trusted = credentials.authorities.len();
        tracing::info!(
            trusted,
            "this node trusts the certificate authorities that the cluster names"
        );
        Ok(())
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
        let wanted = Wanted::of(&self.published.state());
        // The other end may be behind, or this one.
        if wanted.as_ref().is_some_and(|it| it.signer != authority) {
            let text =
                "the new certificate is from another authority than the one that signs by the state of this node";
            return Err(StartError::Setup(text.to_owned()));
        }
        let digest = digest_of(&authority);
        let mut credentials = key.certified(certificate, authority);
        if let Some(wanted) = wanted {
            credentials = credentials.trusting(&wanted.trusted(), wanted.bridge);
        }
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
