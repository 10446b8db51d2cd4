//! One container of one deployment on one node.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{AccountId, DeploymentId, NodeId, ReplicaId, Revision, ServiceId, Timestamp};

/// What the cluster wants of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intent {
    /// Be up and take requests.
    Run,
    /// Take no new requests, finish those in flight, end, and be forgotten.
    Stop,
}

/// How far its host says it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Placed; its host has not yet said anything.
    Assigned,
    /// Its image is being fetched.
    Pulling,
    /// Its container starts, or waits to be started again after it ended.
    Starting,
    /// It runs and answers.
    Ready,
    /// It cannot run, for the stated reason. Its host goes on trying where that can help.
    Failed,
    /// It has ended because that was wanted.
    Stopped,
}

/// Why something is as it is, for a person: which thing, what happened, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable and machine-readable, such as `image_not_found`; has a page in `docs/errors/`.
    pub code: String,
    /// One or two sentences.
    pub message: String,
}

/// One container of one deployment on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Its id.
    pub id: ReplicaId,
    /// The service it serves.
    pub service: ServiceId,
    /// The rollout it belongs to.
    pub deployment: DeploymentId,
    /// Whose service it is.
    pub account: AccountId,
    /// That rollout's version number.
    pub version: u32,
    /// Where it was placed.
    pub node: NodeId,
    /// What is wanted of it.
    pub intent: Intent,
    /// How far it has come.
    pub phase: Phase,
    /// Why, where that needs saying.
    pub reason: Option<Reason>,
    /// Where it listens, as seen from its own host only.
    pub address: Option<SocketAddr>,
    /// How often its container was started again.
    pub restarts: u32,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When its phase or intent last changed.
    pub changed_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}

impl Replica {
    /// Wanted and answering. Whether its node is up is for the caller to add.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.intent == Intent::Run && self.phase == Phase::Ready
    }
}
