//! API keys.

use super::{Context, Decision};
use crate::{AccountId, ApiKey, ApiKeyId, Change, Key, Kind, Outcome, Rejection, Resource, Scope, Timestamp};

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
    if !cx.owns(account) || cx.state.account(account).is_none() {
        return Err(Rejection::NotFound {
            kind: Kind::Account,
            id: account.0,
        });
    }
    let active = cx
        .state
        .api_keys_of(account)
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
        revision: cx.revision,
    };
    Ok(Decision::new(
        vec![key.clone().into()],
        Outcome::Resource(Box::new(Resource::ApiKey(key))),
    ))
}

pub(super) fn revoke(cx: &Context<'_>, id: ApiKeyId) -> Result<Decision, Rejection> {
    match cx.state.api_key(id).filter(|it| cx.owns(it.account)) {
        Some(_) => Ok(Decision::done(vec![Change::Delete(Key::ApiKey(id))])),
        None => Err(Rejection::NotFound {
            kind: Kind::ApiKey,
            id: id.0,
        }),
    }
}
