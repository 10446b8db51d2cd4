//! A command with everything stamped that deciding it must not look up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AccountId, Command, OperationId, Timestamp};

/// On whose behalf a command is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The cluster's own controllers and agents.
    System,
    /// A client. Ownership is checked again when the command is decided.
    Account(AccountId),
}

/// What is written to the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The same id takes effect once, however often it is proposed.
    pub operation: OperationId,
    /// When it was proposed. The state's own time never runs backwards, whatever is stamped here.
    pub at: Timestamp,
    /// Where new ids come from; see [`Envelope::fresh_uuid`].
    pub entropy: u128,
    /// Who asks.
    pub actor: Actor,
    /// What is asked.
    pub command: Command,
}

impl Envelope {
    /// The `n`-th id of this command: unique as far as its entropy is, and the same on every node. A version 7 UUID
    /// (RFC 9562), so that ids sort by the time they were made.
    #[must_use]
    pub fn fresh_uuid(&self, n: u64) -> Uuid {
        let millis = self.at.0 / 1000;
        let mut random = [0; 10];
        random.copy_from_slice(&self.entropy.wrapping_add(u128::from(n)).to_le_bytes()[..10]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
