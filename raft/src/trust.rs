//! Which authorities a node is to trust, and which is to have signed its certificate: as the replicated state says.

use model::State;
use rustls::pki_types::CertificateDer;

use crate::credentials::Credentials;
use crate::renewal::Stage;

/// What the state asks of every node's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Signs.
    pub(crate) signer: CertificateDer<'static>,
    /// Is trusted too, while the authority is rotated.
    pub(crate) other: Option<CertificateDer<'static>>,
    /// The later one of both, signed by the earlier.
    pub(crate) bridge: Option<CertificateDer<'static>>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// Get a new certificate from the authority that signs now.
    Renew,
    /// Keep the certificate, and trust other authorities.
    Trust,
}

impl Wanted {
    /// `None` if nothing of the cluster has arrived on this node yet.
    pub(crate) fn of(state: &State) -> Option<Self> {
        let cluster = state.cluster()?;
        let rotation = state.authority_under_way();
        let certificate = |der: &[u8]| CertificateDer::from(der.to_vec());
        Some(Self {
            signer: certificate(&cluster.authority.certificate),
            other: rotation.map(|it| certificate(it.other())),
            bridge: rotation.map(|it| certificate(&it.bridge)),
        })
    }

    /// Both authorities.
    pub(crate) fn trusted(&self) -> Vec<CertificateDer<'static>> {
        [&self.signer].into_iter().chain(&self.other).cloned().collect()
    }

    /// How credentials get to be as wanted. `stage` is how far their certificate is through its life.
    pub(crate) fn step(&self, held: &Credentials, stage: Stage) -> Step {
        if stage != Stage::Fresh || held.authorities.first() != Some(&self.signer) {
            return Step::Renew;
        }
        let others = &held.authorities[1..];
        if !others.iter().eq(&self.other) || held.bridge != self.bridge {
            return Step::Trust;
        }
        Step::Nothing
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn der(byte: u8) -> CertificateDer<'static> {
        CertificateDer::from(vec![byte])
    }

    fn held(authorities: &[u8], bridge: Option<u8>) -> Credentials {
        Credentials {
            key: Zeroizing::new(Vec::new()),
            certificate: der(0),
            authorities: authorities.iter().copied().map(der).collect(),
            bridge: bridge.map(der),
        }
    }

    #[test]
    fn a_node_trusts_both_before_it_renews_and_one_afterwards() {
        let wanted = |signer, other: Option<u8>| Wanted {
            signer: der(signer),
            other: other.map(der),
            bridge: other.map(|_| der(9)),
        };
        let settled = wanted(1, None);
        assert_eq!(settled.step(&held(&[1], None), Stage::Fresh), Step::Nothing);
        assert_eq!(settled.step(&held(&[1], None), Stage::Due), Step::Renew);

        let announced = wanted(1, Some(2));
        assert_eq!(announced.step(&held(&[1], None), Stage::Fresh), Step::Trust);
        let both = held(&[1], None).trusting(&announced.trusted(), announced.bridge.clone());
        assert_eq!(both.authorities, [der(1), der(2)]);
        assert_eq!(both.chain(), [der(0), der(1), der(9), der(2)]);
        assert_eq!(announced.step(&both, Stage::Fresh), Step::Nothing);

        let renewing = wanted(2, Some(1));
        assert_eq!(renewing.step(&both, Stage::Fresh), Step::Renew);
        let renewed = held(&[2], None).trusting(&renewing.trusted(), renewing.bridge.clone());
        assert_eq!(renewed.authorities, [der(2), der(1)]);
        // As it comes from the disk after a restart, without the bridge.
        assert_eq!(renewing.step(&held(&[2, 1], None), Stage::Fresh), Step::Trust);

        let done = wanted(2, None);
        assert_eq!(done.step(&renewed, Stage::Fresh), Step::Trust);
        let alone = renewed.trusting(&done.trusted(), None);
        assert_eq!(alone.authorities, [der(2)]);
        assert_eq!(done.step(&alone, Stage::Fresh), Step::Nothing);
        assert_eq!(
            done.step(&held(&[1], None), Stage::Fresh),
            Step::Renew,
            "it was away all the time"
        );
    }
}
