//! What an entry of the log does to the state: the same in a node that runs and in a folder that is recovered from.

use model::{Change, Envelope, Outcome, Rejection, Revision, State, Timestamp, entry_changes};
use openraft::EntryPayload;
use storage::CodecError;

use crate::types::{LogId, Peer, Proposal, StoredMembership};

pub(crate) type Payload = EntryPayload<Proposal, u64, Peer>;

/// What an entry does. Nothing of it is done yet.
pub(crate) struct Effect {
    /// The time to apply it at.
    pub at: Timestamp,
    /// What becomes of the state.
    pub changes: Vec<Change>,
    /// What its command answers, if it has one.
    pub result: Option<Result<Outcome, Rejection>>,
    /// The members from then on, if it is about them.
    pub membership: Option<StoredMembership>,
}

/// What an entry does to this state. The error is that of a command that this version does not know.
pub(crate) fn effect(state: &State, id: LogId, payload: Payload) -> Result<Effect, CodecError> {
    let mut effect = Effect {
        at: Timestamp::default(),
        changes: Vec::new(),
        result: None,
        membership: None,
    };
    match payload {
        EntryPayload::Blank => {}
        EntryPayload::Normal(proposal) => {
            let envelope: Envelope = storage::decode(&proposal.0)?;
            let (changes, result) = entry_changes(state, Revision(id.index), &envelope);
            (effect.at, effect.changes, effect.result) = (envelope.at, changes, Some(result));
        }
        EntryPayload::Membership(membership) => {
            effect.membership = Some(StoredMembership::new(Some(id), membership));
        }
    }
    Ok(effect)
}
