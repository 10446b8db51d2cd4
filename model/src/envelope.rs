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

/// 2^128 divided by the golden ratio, made odd: multiples of it differ in high and low bits alike.
const SPREAD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;

impl Envelope {
    /// The `n`-th id of this command: unique as far as its entropy is, and the same on every node. A version 7 UUID
    /// (RFC 9562), so that ids sort by the time they were made. Ids of one command differ in all their random parts,
    /// because people shorten them.
    #[must_use]
    pub fn fresh_uuid(&self, n: u64) -> Uuid {
        let millis = self.at.0 / 1000;
        let mixed = self.entropy.wrapping_add(u128::from(n).wrapping_mul(SPREAD));
        let mut random = [0; 10];
        random.copy_from_slice(&mixed.to_le_bytes()[..10]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::NodeId;

    #[test]
    fn ids_of_one_command_differ_at_both_ends() {
        let envelope = Envelope {
            operation: OperationId(Uuid::nil()),
            at: Timestamp(1_700_000_000_000_000),
            entropy: 5,
            actor: Actor::System,
            command: Command::SetSchedulable(NodeId(1), true),
        };
        let ids: Vec<String> = (0..100).map(|n| envelope.fresh_uuid(n).to_string()).collect();
        let ends: BTreeSet<&str> = ids.iter().map(|it| &it[28..]).collect();
        assert_eq!(ends.len(), ids.len(), "the last eight digits tell them apart");
    }
}
