//! Who is to vote.

use super::{Context, Decision, node};
use crate::{Change, Key, NodeId, NodePatch, NodeVoting, Rejection, Voting};

/// Says it together with what else is changed of the node. Somebody must be left who may vote.
pub(super) fn set(cx: &Context<'_>, id: NodeId, patch: NodePatch, voting: Voting) -> Result<Decision, Rejection> {
    let Decision { mut changes, outcome } = node::update(cx, id, patch)?;
    let mut others = cx.state.nodes().filter(|it| it.id != id);
    if voting == Voting::Never && others.all(|it| cx.state.voting(it.id) == Voting::Never) {
        return Err(Rejection::LastVoter);
    }
    changes.extend(change(cx, id, voting));
    Ok(Decision::new(changes, outcome))
}

/// What becomes of the record of a node's vote.
pub(super) fn change(cx: &Context<'_>, id: NodeId, voting: Voting) -> Option<Change> {
    match (cx.state.voting(id), voting) {
        (before, now) if before == now => None,
        (_, Voting::Auto) => Some(Change::Delete(Key::NodeVoting(id))),
        _ => Some(NodeVoting { id, voting }.into()),
    }
}
