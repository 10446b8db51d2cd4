//! Commands on their way into the log.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use model::{Envelope, NodeDraft, OperationId, Outcome, Rejection, Revision, State, Submission, Timestamp};
use openraft::errors::ClientWriteError;
use tokio::sync::watch;

use crate::cluster::Core;
use crate::forward::{self, Forwarded};
use crate::proto;
use crate::proto::cluster_client::ClusterClient;
use crate::transport::{self, Link, MESSAGE_BYTES_MAX, Purpose};
use crate::types::Proposal;
use crate::unled::NO_LEADER;
use crate::{Leadership, SubmitError};

/// How soon to try again when nothing tells that trying has become worth while.
const RETRY: Duration = Duration::from_millis(50);

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// What it answered.
    pub outcome: Outcome,
    /// The entry that carried it. This node has applied it, so a local read here shows its effect.
    pub revision: Revision,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proposed {
    /// It is committed, and this is its result.
    Decided {
        /// The entry that carried it.
        index: u64,
        /// What was decided.
        result: Result<Outcome, Rejection>,
    },
    /// It was not proposed, because the asked node does not lead; perhaps this one does.
    NotLeader(Option<u64>),
    /// It was not proposed, for this reason.
    NotSent(String),
    /// It may have been proposed, and may take effect yet.
    Unknown,
}

impl Core {
    /// See [`crate::Cluster::submit_as`].
    pub(crate) async fn submit(&self, submission: Submission, deadline: Instant) -> Result<Submitted, SubmitError> {
        let operation = submission.operation;
        // What clients ask for must not use up the room that the node itself needs to go on. Where others vote too, one of
        // them is about to lead, and takes it.
        let is_alone = || self.metrics().membership_config.voter_ids().eq([self.node.0]);
        if let (Some(_), Err(full)) = (submission.actor.account(), self.room.check())
            && is_alone()
        {
            return Err(SubmitError::Unavailable(full.to_string()));
        }
        let mut leadership = self.leadership.clone();
        let mut reason = NO_LEADER.to_owned();
        let mut uncertain = false;
        loop {
            if self.stop.is_cancelled() {
                "this node is stopping".clone_into(&mut reason);
                break;
            }
            let seen = *leadership.borrow_and_update();
            let limit = deadline.saturating_duration_since(Instant::now());
            if let Some(leader) = seen.leader {
                let attempt = self.attempt(leader.0, seen.is_self, &submission, limit);
                // A leader that is no longer one may never answer; a new one can be asked under the same id.
                let proposed = tokio::select! {
                    proposed = attempt => proposed,
                    () = replaced(leadership.clone(), seen) => Proposed::Unknown,
                };
                match proposed {
                    // An earlier attempt may have been applied, while the client still might do that.
                    Proposed::Decided {
                        result: Err(Rejection::Unwarranted),
                        ..
                    } if uncertain => break,
                    Proposed::Decided { index, result } => {
                        return self.acknowledge(operation, index, result, deadline).await;
                    }
                    Proposed::NotLeader(_) => reason = format!("node {leader} no longer leads"),
                    Proposed::NotSent(why) => reason = why,
                    Proposed::Unknown => uncertain = true,
                }
            }
            if !pause(&mut leadership, deadline).await {
                break;
            }
        }
        if uncertain {
            Err(SubmitError::OutcomeUnknown { operation })
        } else {
            Err(SubmitError::Unavailable(self.unled(&reason)))
        }
    }

    /// Answers once this node has applied the entry, so that who asks here next sees its effect.
    async fn acknowledge(
        &self,
        operation: OperationId,
        index: u64,
        result: Result<Outcome, Rejection>,
        deadline: Instant,
    ) -> Result<Submitted, SubmitError> {
        if !self.wait_applied(index, deadline).await {
            return Err(SubmitError::OutcomeUnknown { operation });
        }
        let outcome = result.map_err(SubmitError::Rejected)?;
        Ok(Submitted {
            outcome,
            revision: Revision(index),
        })
    }

    async fn attempt(&self, leader: u64, is_self: bool, submission: &Submission, limit: Duration) -> Proposed {
        if is_self {
            self.propose_here(submission.clone(), limit).await
        } else {
            self.forward(leader, submission, limit)
                .await
                .unwrap_or_else(Proposed::NotSent)
        }
    }

    /// Proposes a command if this node leads. Time and randomness are stamped here.
    pub(crate) async fn propose_here(&self, submission: Submission, limit: Duration) -> Proposed {
        if let (Some(_), Err(full)) = (submission.actor.account(), self.room.check()) {
            return Proposed::NotSent(full.to_string());
        }
        if let Some(reason) = too_new(&self.published.state(), &submission) {
            return Proposed::NotSent(reason);
        }
        let envelope = Envelope {
            at: self.stamp(),
            entropy: rand::random(),
            submission,
        };
        let bytes = match storage::encode(&envelope) {
            Ok(bytes) if bytes.len() < MESSAGE_BYTES_MAX / 4 => Bytes::from(bytes),
            Ok(bytes) => return Proposed::NotSent(format!("a command of {} bytes is too large", bytes.len())),
            Err(error) => return Proposed::NotSent(error.to_string()),
        };
        match tokio::time::timeout(limit, self.proposals.propose(Proposal(bytes))).await {
            Ok(Some(Ok(written))) => match written.response.0 {
                Some(result) => Proposed::Decided {
                    index: written.log_id.index,
                    result,
                },
                None => Proposed::Unknown,
            },
            Ok(Some(Err(ClientWriteError::ForwardToLeader(to)))) => Proposed::NotLeader(to.leader_id),
            Ok(Some(Err(_)) | None) | Err(_) => Proposed::Unknown,
        }
    }

    /// The time to stamp: this node's clock, which the state never lets run backwards.
    fn stamp(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }

    /// Lets the leader propose a command. The error says why it was not sent.
    async fn forward(&self, leader: u64, submission: &Submission, limit: Duration) -> Result<Proposed, String> {
        // A leader that runs an older version could not even tell why.
        if let Some(reason) = too_new(&self.published.state(), submission) {
            return Err(reason);
        }
        let address = self
            .links
            .address_of(leader)
            .ok_or_else(|| format!("the address of node {leader} is not known"))?;
        let link = self.links.to(leader, &address, Purpose::Service);
        let encoded = Bytes::from(storage::encode(submission).map_err(|it| it.to_string())?);
        match self.forwards.ask(leader, &link, encoded.clone(), limit).await {
            Forwarded::Proposed(Proposed::NotSent(reason)) => Err(reason),
            Forwarded::Proposed(proposed) => Ok(proposed),
            Forwarded::Unsupported => self.forward_alone(leader, &link, encoded, limit).await,
        }
    }

    /// A call for one command, for a leader of a version that knows no other way.
    async fn forward_alone(
        &self,
        leader: u64,
        link: &Link,
        submission: Bytes,
        limit: Duration,
    ) -> Result<Proposed, String> {
        let request = proto::ForwardRequest {
            route: Some(self.links.route(leader)),
            submission,
            limit_millis: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX),
        };
        let channel = link.channel().map_err(|status| transport::describe(&status))?;
        let mut client = ClusterClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        match tokio::time::timeout(limit, client.forward(request)).await {
            Ok(Ok(reply)) => Ok(forward::proposed(reply.into_inner().result.map(Into::into))),
            Ok(Err(status)) if refused(&status) => {
                self.links.heed(&status);
                Err(transport::describe(&status))
            }
            Ok(Err(_)) => Ok(Proposed::Unknown),
            Err(_) => {
                link.reset();
                Ok(Proposed::Unknown)
            }
        }
    }
}

/// Why a command must not be written to the log yet: a member that does not know it would halt there.
fn too_new(state: &State, submission: &Submission) -> Option<String> {
    let node = state.too_old_for(submission.level())?;
    Some(format!(
        "node {} runs version {}, which does not know this command: upgrade it first",
        node.name,
        node.plain_version()
    ))
}

/// Why a node must not be let in: what all members know may be in the log already, or will be.
pub(crate) fn too_old_to_join(state: &State, draft: &NodeDraft) -> Option<String> {
    let level = |version: &str| model::level_of_version(version);
    let lowest = state.nodes().map(|it| level(&it.version)).min()?;
    (level(&draft.version) < lowest).then(|| {
        format!(
            "version {} of this node is too old for the cluster, all of whose nodes are newer: install the version that they run",
            draft.version
        )
    })
}

/// Whether a failed call cannot have led to a proposal: it never left, or the other end refused to look at it.
pub(crate) fn refused(status: &tonic::Status) -> bool {
    use tonic::Code;
    transport::never_sent(status)
        || matches!(
            status.code(),
            Code::FailedPrecondition
                | Code::InvalidArgument
                | Code::Internal
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::Unimplemented
        )
}

/// Resolves when somebody else leads than did.
pub(crate) async fn replaced(mut leadership: watch::Receiver<Leadership>, seen: Leadership) {
    let other = |now: &Leadership| now.leader.is_some() && (now.leader, now.term) != (seen.leader, seen.term);
    if leadership.wait_for(other).await.is_err() {
        // The node is stopping, which ends the attempt itself.
        std::future::pending::<()>().await;
    }
}

/// Waits for a new leader, or a moment. False when there is no time left.
pub(crate) async fn pause(leadership: &mut watch::Receiver<Leadership>, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return false;
    }
    // That nothing changed in this time is as good a reason to try again as that something did.
    let _ = tokio::time::timeout(RETRY.min(left), leadership.changed()).await;
    true
}
