//! The way from one certificate authority to the next.

use super::{Context, Decision, join_token};
use crate::{Authority, AuthorityRotation, AuthorityStep, Change, Cluster, Key, Rejection};

/// Announces the next authority. Its key must be under the newest cluster key, and no other key may be in use: so the
/// keyring has nothing to move while two authorities are known.
pub(super) fn rotate(
    cx: &Context<'_>,
    replaces: &[u8],
    next: &Authority,
    bridge: &[u8],
) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let cluster = cx.state.cluster().ok_or(Rejection::Stale)?;
    let keys = [cluster.authority.key.key, cluster.keyring.oldest, next.key.key];
    let is_settled = keys.iter().all(|it| *it == cluster.keyring.current);
    let is_same = cluster.authority.certificate == replaces && next.certificate != replaces;
    if !is_settled || !is_same || cx.state.authority_under_way().is_some() {
        return Err(Rejection::Stale);
    }
    let rotation = AuthorityRotation {
        id: cluster.id,
        step: AuthorityStep::Announced(next.clone()),
        bridge: bridge.to_vec(),
        began_at: cx.now,
        changed_at: cx.now,
    };
    Ok(Decision::done(vec![rotation.into()]))
}

/// Every node trusts the next authority: from now on it signs. The old one's key is given up.
pub(super) fn sign_by_next(cx: &Context<'_>, next: &[u8]) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let cluster = cx.state.cluster().ok_or(Rejection::Stale)?;
    let rotation = cx.state.authority_under_way().ok_or(Rejection::Stale)?;
    let AuthorityStep::Announced(announced) = &rotation.step else {
        return Err(Rejection::Stale);
    };
    if announced.certificate != next {
        return Err(Rejection::Stale);
    }
    let renewing = AuthorityRotation {
        step: AuthorityStep::Renewing(cluster.authority.certificate.clone()),
        changed_at: cx.now,
        ..rotation.clone()
    };
    let cluster = Cluster {
        authority: announced.clone(),
        ..cluster.clone()
    };
    Ok(Decision::done(vec![cluster.into(), renewing.into()]))
}

/// Every node has a certificate from the new authority: the one before is trusted no longer. Join tokens by which to
/// recognise it are of no use any more.
pub(super) fn retire(cx: &Context<'_>, old: &[u8]) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let rotation = cx.state.authority_under_way().ok_or(Rejection::Stale)?;
    match &rotation.step {
        AuthorityStep::Renewing(before) if before == old => {}
        _ => return Err(Rejection::Stale),
    }
    let mut changes = join_token::forget(cx, |it| it.created_at < rotation.changed_at);
    changes.push(Change::Delete(Key::AuthorityRotation(rotation.id)));
    Ok(Decision::done(changes))
}
