//! API keys.

use super::{Context, Decision};
use crate::{AccountId, ApiKey, ApiKeyId, Change, Key, Kind, Rejection, Scope, Timestamp};

/// Active keys that one account may have.
const MOST_ACTIVE: u32 = 10;

pub(super) fn create(
    cx: &Context<'_>,
    account: AccountId,
    name: &str,
    hash: [u8; 32],
    scope: Scope,
    expires_at: Option<Timestamp>,
) -> Result<Decision, Rejection> {
    // An admin makes the first keys of an account that has no password.
    let may = cx.owns(account) || cx.require_admin().is_ok();
    if !may || cx.state.account(account).is_none() {
        return Err(Rejection::NotFound {
            kind: Kind::Account,
            id: account.0,
        });
    }
    let active = cx
        .state
        .api_keys_of(account)
        .all()
        .into_iter()
        .filter(|it| it.expires_at.is_none_or(|end| end > cx.now))
        .count();
    if active >= MOST_ACTIVE as usize {
        return Err(Rejection::TooManyKeys(MOST_ACTIVE));
    }
    let key = ApiKey {
        id: ApiKeyId(cx.new_id()),
        account,
        name: name.to_owned(),
        hash,
        scope,
        created_at: cx.now,
        expires_at,
        last_used_at: None,
        revision: cx.revision,
    };
    Ok(Decision::put(key))
}

pub(super) fn revoke(cx: &Context<'_>, id: ApiKeyId) -> Result<Decision, Rejection> {
    let is_admin = cx.require_admin().is_ok();
    match cx.state.api_key(id).filter(|it| is_admin || cx.owns(it.account)) {
        Some(_) => Ok(Decision::done(vec![Change::Delete(Key::ApiKey(id))])),
        None => Err(Rejection::NotFound {
            kind: Kind::ApiKey,
            id: id.0,
        }),
    }
}

/// Keys that have gone meanwhile are passed over, and time does not run backwards.
pub(super) fn touch(cx: &Context<'_>, used: &[(ApiKeyId, Timestamp)]) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let newer = used.iter().filter_map(|(id, at)| {
        let key = cx.state.api_key(*id).filter(|it| it.last_used_at < Some(*at))?;
        let key = ApiKey {
            last_used_at: Some(*at),
            ..key.clone()
        };
        Some(key.into())
    });
    Ok(Decision::done(newer.collect()))
}
