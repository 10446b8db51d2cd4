//! Join tokens: made, used, and gone.

use super::{Context, Decision};
use crate::{Change, JoinToken, JoinTokenId, JoinTokenUses, Key, Rejection, Timestamp};

/// Makes one for so many hosts, or for any number. Those that have expired go.
pub(super) fn create(
    cx: &Context<'_>,
    hash: [u8; 32],
    expires_at: Timestamp,
    uses: Option<u32>,
) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let id = JoinTokenId(cx.new_id());
    let token = JoinToken {
        id,
        hash,
        created_at: cx.now,
        expires_at,
    };
    let mut decision = Decision::put_after(forget(cx, |it| it.expires_at <= cx.now), token);
    let uses = uses.map(|left| Change::from(JoinTokenUses { id, left }));
    decision.changes.extend(uses);
    Ok(decision)
}

/// What a host leaves of the token that it shows. The first host of a cluster shows none.
pub(super) fn take(cx: &Context<'_>, hash: Option<[u8; 32]>) -> Result<Option<Change>, Rejection> {
    let Some(hash) = hash else {
        let is_first = cx.state.nodes().next().is_none();
        return if is_first {
            Ok(None)
        } else {
            Err(Rejection::BadJoinToken)
        };
    };
    let mut tokens = cx.state.join_tokens();
    let token = tokens.find(|it| it.hash == hash && it.expires_at > cx.now);
    let token = token.ok_or(Rejection::BadJoinToken)?;
    let Some(uses) = cx.state.join_token_uses(token.id) else {
        return Ok(None);
    };
    let left = uses.left.checked_sub(1).ok_or(Rejection::BadJoinToken)?;
    Ok(Some(JoinTokenUses { id: token.id, left }.into()))
}

/// Removes tokens, with what was counted of them.
pub(super) fn forget(cx: &Context<'_>, is_dead: impl Fn(&JoinToken) -> bool) -> Vec<Change> {
    let dead = cx.state.join_tokens().filter(|it| is_dead(it));
    let gone = dead.flat_map(|it| {
        let uses = cx.state.join_token_uses(it.id).map(|it| Key::JoinTokenUses(it.id));
        std::iter::once(Key::JoinToken(it.id)).chain(uses)
    });
    gone.map(Change::Delete).collect()
}
