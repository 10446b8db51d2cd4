//! The birth of the cluster.

use super::{Context, Decision, account};
use crate::{ApiKey, ApiKeyId, Authority, Cluster, ClusterId, KeyringState, NodeId, Rejection, Scope};

pub(super) fn bootstrap(
    cx: &Context<'_>,
    id: ClusterId,
    admin: &str,
    key_hash: &[u8; 32],
    authority: &Authority,
) -> Result<Decision, Rejection> {
    cx.require_system()?;
    if cx.state.cluster().is_some() {
        return Err(Rejection::AlreadyInitialised);
    }
    let (account, mut changes) = account::fresh(cx, admin, None, true);
    let cluster = Cluster {
        id,
        created_at: cx.now,
        next_node: NodeId(1),
        authority: authority.clone(),
        keyring: KeyringState::default(),
    };
    let key = ApiKey {
        id: ApiKeyId(cx.fresh(9)),
        account: account.id,
        name: "bootstrap".to_owned(),
        hash: *key_hash,
        scope: Scope::Full,
        created_at: cx.now,
        expires_at: None,
        last_used_at: None,
        revision: cx.revision,
    };
    changes.extend([cluster.into(), account.into(), key.into()]);
    Ok(Decision::done(changes))
}
