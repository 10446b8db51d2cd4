//! Replaces the cluster's certificate authority while everything goes on.
//!
//! ```text
//! announce the next one -> every node trusts both -> the next one signs -> every node renews its certificate
//!                       -> the one before is trusted no longer
//! ```
//!
//! Each step is an entry in the log, taken by whoever leads once all nodes say that they have done their part, so it goes
//! on after any crash. A node that is off when the next one is announced recognises it by a certificate that the one before
//! has signed; the last step waits until it has come back, or was removed.

mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use model::{AccountId, Actor, AuthorityStep, Command, NodeId, OperationId, Submission};
use thiserror::Error;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

pub use self::plan::Waiting;
use self::plan::{Fact, next, waits_for};
use crate::authority::{Authority, AuthorityError, digest_of};
use crate::cluster::Core;
use crate::{Look, SubmitError, Unavailable, error};

/// Between looks while something is waited for.
const RETRY: Duration = Duration::from_millis(500);
/// Between looks once it has been waited for long.
const RETRY_LONG: Duration = Duration::from_secs(5);
/// How long it is looked at often.
const SOON: Duration = Duration::from_secs(30);

/// What a node proves with who it is, and whom it believes. Digests are SHA-256 of an authority's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certification {
    /// Who has signed its certificate.
    pub signer: [u8; 32],
    /// Until when that is good, in seconds since 1970.
    pub until: i64,
    /// Whom it believes.
    pub trusted: Vec<[u8; 32]>,
}

/// How the cluster's certificate authority stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// The one that signs.
    pub signer: [u8; 32],
    /// The next one, if it is announced.
    pub next: Option<[u8; 32]>,
    /// The one before, while it is still trusted.
    pub before: Option<[u8; 32]>,
    /// When the rotation began that is under way.
    pub began_at: Option<model::Timestamp>,
    /// Each node; the text says why it does not answer.
    pub nodes: BTreeMap<NodeId, Result<Certification, String>>,
    /// What the rotation waits for.
    pub waits_for: Vec<Waiting>,
}

/// Why a rotation was not begun.
#[derive(Clone, Debug, Error)]
pub enum AuthorityFault {
    /// Another one is under way, of the authority or of the keys; says which.
    #[error("{0}")]
    UnderWay(String),
    /// The keyring of the node that was asked waits for its passphrase.
    #[error("this node's keyring is locked; unlock it with `goblins keyring unlock`")]
    Locked,
    /// The cluster cannot be asked.
    #[error(transparent)]
    Unavailable(Unavailable),
    /// The cluster did not take it.
    #[error(transparent)]
    Submit(SubmitError),
    /// The authority in the state cannot be used.
    #[error("{0}")]
    Failed(String),
}

impl From<AuthorityError> for AuthorityFault {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Sealed(storage::SealError::Locked) => Self::Locked,
            other => Self::Failed(error::chain(&other)),
        }
    }
}

/// Carries rotations on for as long as the node runs; acts only while it leads.
pub(crate) async fn run(core: Arc<Core>) {
    let mut feed = core.published.watch();
    let mut leadership = core.leadership.clone();
    let mut waiting: Option<(Instant, String)> = None;
    loop {
        let leads = leadership.borrow_and_update().is_self;
        let advanced = if leads { core.advance_rotation().await } else { Ok(()) };
        match advanced {
            Ok(()) => {
                waiting = None;
                tokio::select! {
                    changed = feed.changed() => if changed.is_err() { return },
                    changed = leadership.changed() => if changed.is_err() { return },
                }
            }
            Err(problem) => {
                let since = waiting.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                if waiting.as_ref().is_none_or(|(_, said)| *said != problem) {
                    tracing::info!(problem, "the rotation of the certificate authority waits");
                }
                waiting = Some((since, problem));
                sleep(if since.elapsed() < SOON { RETRY } else { RETRY_LONG }).await;
            }
        }
    }
}

impl Core {
    /// What this node proves with who it is. Both are on its disk.
    pub(crate) fn certification(&self) -> Option<Certification> {
        let current = self.tls.current()?;
        let trusted: Vec<_> = current.credentials.authorities.iter().map(|it| digest_of(it)).collect();
        Some(Certification {
            signer: *trusted.first()?,
            until: current.certified.until,
            trusted,
        })
    }

    /// See [`crate::Cluster::rotate_authority`].
    pub(crate) async fn rotate_authority(&self, by: AccountId) -> Result<(), AuthorityFault> {
        let state = self.read().await.map_err(AuthorityFault::Unavailable)?;
        let cluster = state.cluster().ok_or(AuthorityError::Unknown)?;
        if state.authority_under_way().is_some() {
            let text =
                "a rotation of the certificate authority is under way: `goblins ca status` tells what it waits for";
            return Err(AuthorityFault::UnderWay(text.to_owned()));
        }
        let keyring = &cluster.keyring;
        if cluster.authority.key.key < keyring.current || keyring.oldest < keyring.current {
            let text =
                "a rotation of the cluster key is under way (`goblins keyring status`): ask again when it is done";
            return Err(AuthorityFault::UnderWay(text.to_owned()));
        }
        let now = SystemTime::now();
        let before = Authority::open(self.cluster, &cluster.authority, &self.keyring)?;
        let next = Authority::create(self.cluster, now)?;
        let command = Command::RotateAuthority {
            replaces: cluster.authority.certificate.clone(),
            bridge: before.vouch_for(&next, self.cluster, now)?.to_vec(),
            next: next.seal(self.cluster, &self.keyring)?,
        };
        self.say(Actor::Account(by), command)
            .await
            .map_err(AuthorityFault::Submit)?;
        tracing::info!("a rotation of the certificate authority has begun");
        Ok(())
    }

    /// See [`crate::Cluster::authorities`].
    pub(crate) async fn authorities(&self) -> Result<Authorities, Unavailable> {
        let seen = self.look_around().await;
        let state = self.published.state();
        let cluster = state
            .cluster()
            .ok_or_else(|| Unavailable("nothing of the cluster has arrived on this node yet".to_owned()))?;
        let rotation = state.authority_under_way();
        let other = rotation.map(|it| digest_of(it.other()));
        let is_announced = rotation.is_some_and(|it| matches!(it.step, AuthorityStep::Announced(_)));
        let facts = facts(&state, &seen);
        let waits_for = rotation.map(|it| waits_for(it, &cluster.authority.certificate, &facts));
        Ok(Authorities {
            signer: digest_of(&cluster.authority.certificate),
            next: other.filter(|_| is_announced),
            before: other.filter(|_| !is_announced),
            began_at: rotation.map(|it| it.began_at),
            waits_for: waits_for.unwrap_or_default(),
            nodes: facts.into_iter().map(|it| (it.id, it.said)).collect(),
        })
    }

    /// Takes the next step of a rotation, if there is one. The error says what it waits for.
    async fn advance_rotation(&self) -> Result<(), String> {
        while self.published.state().authority_under_way().is_some() {
            let seen = self.look_around().await;
            // What was decided while they were asked counts.
            let state = self.published.state();
            let (Some(cluster), Some(rotation)) = (state.cluster(), state.authority_under_way()) else {
                return Ok(());
            };
            let step = next(rotation, &cluster.authority.certificate, &facts(&state, &seen))?;
            let said = match &step {
                Command::SignByNextAuthority(_) => {
                    "every node trusts the next certificate authority: it signs from now on"
                }
                _ => "every node has a certificate from the new authority: the one before is trusted no longer",
            };
            self.say(Actor::System, step).await.map_err(|it| error::chain(&it))?;
            tracing::info!("{said}");
        }
        Ok(())
    }

    async fn say(&self, actor: Actor, command: Command) -> Result<(), SubmitError> {
        let submission = Submission::new(OperationId(Uuid::now_v7()), actor, command);
        let deadline = std::time::Instant::now() + self.timing.submit;
        self.submit(submission, deadline).await.map(drop)
    }
}

fn facts(state: &model::State, seen: &BTreeMap<NodeId, Result<Look, String>>) -> Vec<Fact> {
    let said = |id: NodeId| match seen.get(&id) {
        Some(Ok(look)) => look.certification.clone().ok_or_else(|| match look.version.as_str() {
            "" => "it has no certificate yet".to_owned(),
            version => format!("version {version} does not say who has certified it"),
        }),
        Some(Err(why)) => Err(why.clone()),
        None => Err("it is not known here yet".to_owned()),
    };
    let nodes = state.nodes().map(|it| Fact {
        id: it.id,
        name: it.name.clone(),
        is_up: it.is_up(),
        said: said(it.id),
    });
    nodes.collect()
}
