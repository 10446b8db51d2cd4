//! How a new node gets in: it recognises the cluster by the digest in its token before it shows the token, and gets a
//! certificate and the keys over the connection on which it did.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use model::{
    Actor, ClusterId, Command, NodeDraft, NodeId, OperationId, Outcome, Rejection, State, Submission, Timestamp,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use storage::{Identity, KeyBundle};
use tonic::Status;
use uuid::Uuid;

use crate::cluster::Core;
use crate::credentials::{Credentials, NewKey};
use crate::ground::Wires;
use crate::join_token::{self, JoinToken};
use crate::proto::admission_client::AdmissionClient;
use crate::proto::join_reply::Result as Wire;
use crate::proto::{Admitted, JoinReply, JoinRequest};
use crate::server::Caller;
use crate::transport::{self, Link, Purpose, Whom};
use crate::trust::Wanted;
use crate::{StartError, SubmitError, error, propose, tls};

/// How long a new node tries to be let in.
const LIMIT: Duration = Duration::from_secs(9);
/// How long the other end may be another than the token names. A token may be a moment ahead of a node that is about to
/// renew its certificate, when the authority has just been rotated.
const SETTLED: Duration = Duration::from_secs(2);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(6);
/// Between attempts.
const RETRY: Duration = Duration::from_millis(500);

/// What a new node is given.
pub(crate) struct Admission {
    pub(crate) identity: Identity,
    pub(crate) keys: KeyBundle,
    /// A node that founds its cluster makes its own later.
    pub(crate) credentials: Option<Credentials>,
    /// The epoch of the cluster.
    pub(crate) epoch: u64,
}

/// Asks the cluster at `addr` to let this node in.
pub(crate) async fn ask(
    wires: &Arc<dyn Wires>,
    addr: &str,
    token: &str,
    draft: &NodeDraft,
) -> Result<Admission, StartError> {
    let failed = |reason: String| StartError::JoinFailed {
        addr: addr.to_owned(),
        reason,
    };
    let token = JoinToken::parse(token.trim()).ok_or(StartError::TokenWithoutDigest)?;
    let key = NewKey::generate().map_err(StartError::Authority)?;
    let request = JoinRequest {
        token: token.text.to_owned(),
        operation: Bytes::copy_from_slice(Uuid::now_v7().as_bytes()),
        draft: storage::encode(draft).map_err(|it| failed(it.to_string()))?.into(),
        passed_on: false,
        key_request: Bytes::copy_from_slice(key.request()),
    };
    let config = tls::pinned(token.authority).map_err(StartError::Setup)?;
    let link = Link::new(addr, Whom::Anybody(config), wires.clone());
    let (settled, deadline) = (Instant::now() + SETTLED, Instant::now() + LIMIT);
    let reply = loop {
        let reason = match attempt(&link, request.clone()).await {
            Ok(reply) => break reply,
            Err(status) if status.code() == tonic::Code::InvalidArgument => {
                return Err(failed(status.message().to_owned()));
            }
            Err(status) if transport::is_quarrel(&status) && Instant::now() >= settled => {
                return Err(failed(transport::describe(&status)));
            }
            Err(status) => transport::describe(&status),
        };
        link.reset();
        if Instant::now() + RETRY >= deadline {
            return Err(failed(format!(
                "{reason}; check the address, the network, and that a majority of its nodes is up"
            )));
        }
        tracing::warn!(addr, reason, "cannot join yet, trying again");
        tokio::time::sleep(RETRY).await;
    };
    match reply.result {
        Some(Wire::Admitted(admitted)) => accept(admitted, key, token.authority).map_err(failed),
        Some(Wire::Rejected(rejection)) => match storage::decode::<Rejection>(&rejection) {
            Ok(source) => Err(StartError::JoinRefused {
                addr: addr.to_owned(),
                source,
            }),
            Err(error) => Err(failed(format!(
                "it refused, for a reason that this version cannot read: {error}"
            ))),
        },
        None => Err(failed("its answer is empty: it may run another version".to_owned())),
    }
}

/// Checks what was handed out before anything of it is kept.
fn accept(admitted: Admitted, key: NewKey, digest: [u8; 32]) -> Result<Admission, String> {
    let cluster = Uuid::from_slice(&admitted.cluster).map_err(|_| "its answer has no cluster id")?;
    let identity = Identity {
        cluster: ClusterId(cluster),
        node: NodeId(admitted.node),
    };
    let certificate = CertificateDer::from(admitted.certificate.to_vec());
    let authority = CertificateDer::from(admitted.authority.to_vec());
    let others = admitted.other_authorities.iter();
    let trusted: Vec<_> = others.map(|it| CertificateDer::from(it.to_vec())).collect();
    let bridge = Some(admitted.bridge).filter(|it| !it.is_empty());
    let bridge = bridge.map(|it| CertificateDer::from(it.to_vec()));
    let credentials = key.certified(certificate, authority).trusting(&trusted, bridge);
    let certified = tls::checked(&credentials, digest, UnixTime::now())
        .map_err(|it| tls::explain(&std::io::Error::other(it)))
        .map_err(|it| format!("the certificate that it gave cannot be used: {it}"))?;
    if (certified.cluster, certified.node) != (identity.cluster, identity.node) {
        return Err("the certificate that it gave is for another node".to_owned());
    }
    let keys = KeyBundle::from_bytes(&admitted.keys).map_err(|it| error::chain(&it))?;
    if keys.cluster() != identity.cluster {
        return Err("the keys that it gave are of another cluster".to_owned());
    }
    Ok(Admission {
        identity,
        keys,
        credentials: Some(credentials),
        epoch: admitted.epoch,
    })
}

async fn attempt(link: &Link, request: JoinRequest) -> Result<JoinReply, Status> {
    let mut client = AdmissionClient::new(link.channel()?);
    match tokio::time::timeout(ATTEMPT, client.join(request)).await {
        Ok(reply) => reply.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("no answer in time")),
    }
}

/// Lets a node in, or passes its request on to the leader.
pub(crate) async fn admit(core: &Core, caller: Option<Caller>, request: JoinRequest) -> Result<JoinReply, Status> {
    let seen = *core.leadership.borrow();
    match seen.leader {
        Some(_) if seen.is_self => {}
        Some(leader) if !request.passed_on => {
            let address = core.links.address_of(leader.0);
            let address = address.ok_or_else(|| Status::unavailable("the leader's address is not known"))?;
            let link = core.links.to(leader.0, &address, Purpose::Service);
            return attempt(
                &link,
                JoinRequest {
                    passed_on: true,
                    ..request
                },
            )
            .await;
        }
        _ => return Err(Status::unavailable("the cluster has no leader at the moment")),
    }
    if request.passed_on && caller.is_none() {
        return Err(Status::permission_denied(
            "only a member passes the request of another on",
        ));
    }
    let operation = Uuid::from_slice(&request.operation).map_err(|_| Status::invalid_argument("no operation id"))?;
    let draft: NodeDraft = storage::decode(&request.draft)
        .map_err(|it| Status::invalid_argument(format!("the node runs a version that this one does not know: {it}")))?;
    let token_hash = join_token::hash(&request.token);
    // Before anything else, so that a repeated request is no way in without a token.
    match standing(&core.published.state(), token_hash, OperationId(operation), now()) {
        Standing::Good => {}
        Standing::Unknown => return refuse(&Rejection::BadJoinToken),
        Standing::Bad(reason) => return Err(Status::invalid_argument(reason)),
    }
    if let Some(reason) = propose::too_old_to_join(&core.published.state(), &draft) {
        return Err(Status::invalid_argument(reason));
    }
    // And before a node is counted that could not be given anything.
    core.authority().map_err(|it| Status::unavailable(error::chain(&it)))?;
    let command = Command::JoinNode {
        token_hash: Some(token_hash),
        draft,
    };
    let deadline = Instant::now() + core.timing.submit;
    let submitted = core
        .submit(
            Submission::new(OperationId(operation), Actor::System, command),
            deadline,
        )
        .await;
    let node = match submitted.map(|it| it.outcome) {
        Ok(Outcome::Node(node)) => node,
        Ok(other) => return Err(Status::internal(format!("a join was answered with {other:?}"))),
        Err(SubmitError::Rejected(rejection)) => return refuse(&rejection),
        Err(error) => return Err(Status::unavailable(error.to_string())),
    };
    let certified = core.certify(&request.key_request, node);
    let (certificate, authority) = certified.map_err(|it| Status::invalid_argument(error::chain(&it)))?;
    let keys = core
        .keyring
        .export_bundle()
        .and_then(|it| it.to_bytes())
        .map_err(|it| Status::unavailable(error::chain(&it)))?;
    let wanted = Wanted::of(&core.published.state());
    let der = |it: &CertificateDer<'_>| Bytes::copy_from_slice(it);
    let others = wanted.iter().flat_map(Wanted::trusted).filter(|it| *it != authority);
    let admitted = Admitted {
        other_authorities: others.map(|it| der(&it)).collect(),
        bridge: wanted
            .as_ref()
            .and_then(|it| it.bridge.as_ref().map(der))
            .unwrap_or_default(),
        cluster: Bytes::copy_from_slice(core.cluster.0.as_bytes()),
        node: node.0,
        keys: Bytes::copy_from_slice(&keys),
        certificate: Bytes::copy_from_slice(&certificate),
        authority: Bytes::copy_from_slice(&authority),
        epoch: core.links.epoch(),
    };
    Ok(JoinReply {
        result: Some(Wire::Admitted(admitted)),
    })
}

fn refuse(rejection: &Rejection) -> Result<JoinReply, Status> {
    let bytes = storage::encode(rejection).map_err(|it| Status::internal(it.to_string()))?;
    Ok(JoinReply {
        result: Some(Wire::Rejected(bytes.into())),
    })
}

/// What can be said of a token that was shown.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Good,
    /// It was never made here, or so long ago that it is forgotten.
    Unknown,
    Bad(String),
}

/// How the token of this hash stands. One that is used up is good for the request that used it, whose answer may have been
/// lost: nobody else knows its operation id.
fn standing(state: &State, hash: [u8; 32], operation: OperationId, now: Timestamp) -> Standing {
    let Some(token) = state.join_tokens().find(|it| it.hash == hash) else {
        return Standing::Unknown;
    };
    let remedy = "make a new one with `goblins token create`";
    if token.expires_at <= now {
        let seconds = now.0.saturating_sub(token.expires_at.0) / 1_000_000;
        return Standing::Bad(format!("the join token expired {seconds} s ago: {remedy}"));
    }
    let used_up = state.join_token_uses(token.id).is_some_and(|it| it.left == 0);
    if used_up && state.operation(operation).is_none() {
        return Standing::Bad(format!(
            "the join token is used up, as many hosts have joined with it as it was made for: {remedy}, with --uses N for \
             several hosts"
        ));
    }
    Standing::Good
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use model::{Change, JoinToken, JoinTokenId, JoinTokenUses, Operation, Revision};

    use super::*;

    const HASH: [u8; 32] = [5; 32];

    fn state(left: Option<u32>, done: Option<OperationId>) -> State {
        let id = JoinTokenId(Uuid::from_u128(1));
        let token = JoinToken {
            id,
            hash: HASH,
            created_at: Timestamp(0),
            expires_at: Timestamp(10_000_000),
        };
        let mut changes = vec![Change::from(token)];
        changes.extend(left.map(|left| Change::from(JoinTokenUses { id, left })));
        changes.extend(done.map(|id| {
            Change::from(Operation {
                id,
                at: Timestamp(1),
                expires_at: Timestamp(u64::MAX),
                revision: Revision(1),
                result: Ok(Outcome::Done),
                fingerprint: None,
            })
        }));
        let mut state = State::default();
        state.apply(Revision(1), Timestamp(1), changes);
        state
    }

    #[test]
    fn who_shows_a_bad_token_is_told_what_is_bad_about_it() {
        let operation = OperationId(Uuid::from_u128(7));
        let of = |state: &State, hash, now| standing(state, hash, operation, Timestamp(now));
        assert_eq!(of(&state(None, None), HASH, 1), Standing::Good, "of an older version");
        assert_eq!(of(&state(Some(1), None), HASH, 1), Standing::Good);
        assert_eq!(of(&state(Some(1), None), [6; 32], 1), Standing::Unknown);
        let Standing::Bad(expired) = of(&state(Some(1), None), HASH, 13_000_000) else {
            panic!("it has expired")
        };
        assert!(expired.contains("expired 3 s ago"), "{expired}");
        let Standing::Bad(used) = of(&state(Some(0), None), HASH, 1) else {
            panic!("it is used up")
        };
        assert!(used.contains("used up"), "{used}");
        assert_eq!(
            of(&state(Some(0), Some(operation)), HASH, 1),
            Standing::Good,
            "its answer was lost"
        );
    }
}
