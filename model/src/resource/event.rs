//! What happened: the audit trail and the cluster's own events, in one sequence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Kind, Timestamp};

/// Counts events from 1 without gaps; a later one has a higher number, on every node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What happened to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verb {
    /// It was made.
    Created,
    /// A client changed it.
    Updated,
    /// It was deleted, with what belonged to it.
    Deleted,
    /// Its value was read.
    Accessed,
    /// A rollout began.
    Started,
    /// A rollout ended well.
    Succeeded,
    /// It failed; the note says why.
    Failed,
    /// A rollback took its place.
    RolledBack,
    /// A node's lease is renewed again, or for the first time.
    Up,
    /// A node's lease ran out.
    Down,
    /// A new cluster key is used from now on.
    Rotated,
    /// The passphrase was set, changed or taken away.
    Locked,
    /// A command was run beside one of its replicas.
    Executed,
}

impl Verb {
    /// As clients see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Accessed => "accessed",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Up => "up",
            Self::Down => "down",
            Self::Rotated => "rotated",
            Self::Locked => "locked",
            Self::Executed => "exec",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the sequence.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// To what kind of thing.
    pub subject: Kind,
    /// What happened to it.
    pub verb: Verb,
    /// The thing's id as text: a UUID, or a node's number.
    pub object: String,
    /// The thing's name for people.
    pub name: String,
    /// Whose thing it is; `None` is the cluster's.
    pub account: Option<AccountId>,
    /// Name of the account that did it; `None` is the cluster itself.
    pub actor: Option<String>,
    /// More, for people; never a value of a secret.
    pub note: String,
}

impl Event {
    /// Such as `service.created` or `secret.accessed`.
    #[must_use]
    pub fn kind(&self) -> String {
        format!("{}.{}", self.subject.word(), self.verb.word())
    }
}
