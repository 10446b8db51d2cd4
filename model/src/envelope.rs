//! A command with everything stamped that deciding it must not look up.

use serde::{Deserialize, Serialize};

use crate::{AccountId, ApiKeyId, Command, Key, OperationId, QuotaKind, Revision, SessionId, Timestamp};

/// On whose behalf a command is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The cluster's own controllers and agents.
    System,
    /// A client. Ownership is checked again when the command is decided.
    Account(AccountId),
    /// A client whose request was judged by a state that may have been old: what the judgement rests on is checked again too.
    Warranted(AccountId, Warrant),
}

impl Actor {
    /// The client, if it is one.
    #[must_use]
    pub fn account(self) -> Option<AccountId> {
        match self {
            Self::System => None,
            Self::Account(id) | Self::Warranted(id, _) => Some(id),
        }
    }
}

/// What was known of a client, and of what it changes, when its command was made. Everything else that commands are made
/// from is in them, and is checked when they are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warrant {
    /// How the client has proven who it is.
    pub credential: Credential,
    /// The entry that had last changed its account.
    pub account: Revision,
    /// An object of which parts have gone into the command as they were.
    pub source: Option<Expect>,
}

/// How a client has proven who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// With this key.
    Key(ApiKeyId),
    /// With this session.
    Session(SessionId),
}

/// What a command was made from: if this has moved on, it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// What was looked at.
    pub key: Key,
    /// The entry that had last changed it then.
    pub revision: Revision,
}

/// One use of an allowance of the account that acts. Refused uses are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Of what.
    pub kind: QuotaKind,
    /// Uses an hour. A setting of the node that took the request: stamped, because deciding reads no settings.
    pub limit: u32,
}

/// SHA-256 over what a client asked for under an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

/// A command as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The same id takes effect once, however often it is proposed.
    pub operation: OperationId,
    /// Who asks.
    pub actor: Actor,
    /// What must not have changed.
    pub expect: Option<Expect>,
    /// What it costs.
    pub charge: Option<Charge>,
    /// What the client asked for, if it gave an idempotency key: the same key for something else is refused.
    pub fingerprint: Option<Fingerprint>,
    /// What is asked.
    pub command: Command,
}

impl Submission {
    /// A command without conditions and cost.
    #[must_use]
    pub fn new(operation: OperationId, actor: Actor, command: Command) -> Self {
        Self {
            operation,
            actor,
            expect: None,
            charge: None,
            fingerprint: None,
            command,
        }
    }
}

/// What is written to the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// When it was proposed. The state's own time never runs backwards, whatever is stamped here.
    pub at: Timestamp,
    /// Where new ids come from.
    pub entropy: u128,
    /// What is asked, and by whom.
    pub submission: Submission,
}
