//! What a rotation of the certificate authority has to wait for, and what comes next.

use model::{AuthorityRotation, AuthorityStep, Command, NodeId};

use super::Certification;
use crate::authority::digest_of;

/// What is known of a node.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) id: NodeId,
    pub(super) name: String,
    /// The cluster's verdict.
    pub(super) is_up: bool,
    /// The text says why it does not answer.
    pub(super) said: Result<Certification, String>,
}

/// A node that a rotation waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which one.
    pub node: NodeId,
    /// Why, and what to do if it does not change by itself.
    pub why: String,
}

/// Whom a rotation waits for, where the authority that signs has this certificate.
pub(super) fn waits_for(rotation: &AuthorityRotation, signer: &[u8], nodes: &[Fact]) -> Vec<Waiting> {
    let other = digest_of(rotation.other());
    let signer = digest_of(signer);
    let nodes = nodes.iter().filter_map(|it| {
        let why = match (&rotation.step, &it.said) {
            (AuthorityStep::Announced(_), Ok(said)) if said.trusted.contains(&other) => return None,
            // When it comes back, it recognises the next one by what the one before has signed.
            (AuthorityStep::Announced(_), Err(_)) if !it.is_up => return None,
            (AuthorityStep::Announced(_), Ok(_)) => "it does not trust the next authority yet".to_owned(),
            (AuthorityStep::Renewing(_), Ok(said)) if said.signer == signer => return None,
            (AuthorityStep::Renewing(_), Ok(_)) => {
                "its certificate is still from the authority before: it renews it by itself, unless its keyring and the \
                 leader's are locked"
                    .to_owned()
            }
            (AuthorityStep::Renewing(_), Err(why)) if !it.is_up => format!(
                "it is down ({why}): start it, or remove it with `goblins node remove {}`; without a new certificate it \
                 could never come back",
                it.name
            ),
            (_, Err(why)) => format!("it does not answer: {why}"),
        };
        Some(Waiting { node: it.id, why })
    });
    nodes.collect()
}

/// The next step. The error says what it waits for.
pub(super) fn next(rotation: &AuthorityRotation, signer: &[u8], nodes: &[Fact]) -> Result<Command, String> {
    let waiting = waits_for(rotation, signer, nodes);
    if waiting.is_empty() {
        return Ok(match &rotation.step {
            AuthorityStep::Announced(next) => Command::SignByNextAuthority(next.certificate.clone()),
            AuthorityStep::Renewing(before) => Command::RetireAuthority(before.clone()),
        });
    }
    let waiting = waiting.iter().map(|it| format!("node {}: {}", it.node, it.why));
    Err(waiting.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use model::{Authority, ClusterId, KeyVersion, Sealed, Timestamp};
    use uuid::Uuid;

    use super::*;

    const OLD: &[u8] = b"old";
    const NEW: &[u8] = b"new";

    fn rotation(step: AuthorityStep) -> AuthorityRotation {
        AuthorityRotation {
            id: ClusterId(Uuid::nil()),
            step,
            bridge: Vec::new(),
            began_at: Timestamp(0),
            changed_at: Timestamp(0),
        }
    }

    fn node(id: u64, is_up: bool, said: Option<(&[u8], &[&[u8]])>) -> Fact {
        let said = said.map(|(signer, trusted)| Certification {
            signer: digest_of(signer),
            until: 0,
            trusted: trusted.iter().map(|it| digest_of(it)).collect(),
        });
        Fact {
            id: NodeId(id),
            name: format!("n{id}"),
            is_up,
            said: said.ok_or_else(|| "no answer".to_owned()),
        }
    }

    #[test]
    fn the_next_one_signs_once_all_that_are_up_trust_it() {
        let next_one = Authority {
            certificate: NEW.to_vec(),
            key: Sealed {
                key: KeyVersion(1),
                wrapped: Vec::new(),
                value: Vec::new(),
            },
        };
        let announced = rotation(AuthorityStep::Announced(next_one));
        let both: Option<(&[u8], &[&[u8]])> = Some((OLD, &[OLD, NEW]));
        let (trusts, not_yet) = (node(1, true, both), node(2, true, Some((OLD, &[OLD]))));
        let waiting = next(&announced, OLD, &[trusts.clone(), not_yet]);
        assert!(
            waiting.as_ref().is_err_and(|it| it.starts_with("node 2: ")),
            "{waiting:?}"
        );
        assert!(next(&announced, OLD, &[trusts.clone(), node(3, true, None)]).is_err());
        // The one that is off is no reason to wait.
        let gone_on = next(&announced, OLD, &[trusts, node(3, false, None)]);
        assert_eq!(gone_on, Ok(Command::SignByNextAuthority(NEW.to_vec())));
    }

    #[test]
    fn the_old_one_is_trusted_until_nobody_needs_it() {
        let renewing = rotation(AuthorityStep::Renewing(OLD.to_vec()));
        let renewed = node(1, true, Some((NEW, &[NEW, OLD])));
        let old = node(2, true, Some((OLD, &[OLD, NEW])));
        let off = node(3, false, None);
        let whom = |nodes: &[Fact]| -> Vec<u64> {
            let waiting = waits_for(&renewing, NEW, nodes);
            waiting.iter().map(|it| it.node.0).collect()
        };
        assert_eq!(whom(&[renewed.clone(), old, off.clone()]), [2, 3]);
        let told = next(&renewing, NEW, &[renewed.clone(), off]);
        assert!(
            told.as_ref().is_err_and(|it| it.contains("goblins node remove n3")),
            "{told:?}"
        );
        assert_eq!(
            next(&renewing, NEW, &[renewed]),
            Ok(Command::RetireAuthority(OLD.to_vec()))
        );
    }
}
