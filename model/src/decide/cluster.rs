//! The birth of the cluster, and tokens to join it.

use super::{Context, Decision};
use crate::{
    Account, AccountId, ApiKey, ApiKeyId, Cluster, ClusterId, JoinToken, JoinTokenId, NodeId, Outcome, Project,
    ProjectId, Rejection, Resource, Scope, Timestamp,
};

/// The project that every account begins with.
const DEFAULT_PROJECT: &str = "Default";

pub(super) fn bootstrap(
    cx: &Context<'_>,
    id: ClusterId,
    admin: &str,
    key_hash: &[u8; 32],
) -> Result<Decision, Rejection> {
    cx.require_system()?;
    if cx.state.cluster().is_some() {
        return Err(Rejection::AlreadyInitialised);
    }
    let account = AccountId(cx.envelope.fresh_uuid(0));
    let project = ProjectId(cx.envelope.fresh_uuid(1));
    let (created_at, revision) = (cx.now, cx.revision);
    Ok(Decision::done(vec![
        Cluster {
            id,
            created_at,
            next_node: NodeId(1),
        }
        .into(),
        Account {
            id: account,
            name: admin.to_owned(),
            is_admin: true,
            default_project: project,
            created_at,
        }
        .into(),
        Project {
            id: project,
            account,
            name: DEFAULT_PROJECT.to_owned(),
            created_at,
            updated_at: created_at,
            revision,
        }
        .into(),
        ApiKey {
            id: ApiKeyId(cx.envelope.fresh_uuid(2)),
            account,
            name: "bootstrap".to_owned(),
            hash: *key_hash,
            scope: Scope::Full,
            created_at,
            expires_at: None,
            revision,
        }
        .into(),
    ]))
}

pub(super) fn create_join_token(
    cx: &Context<'_>,
    hash: [u8; 32],
    expires_at: Timestamp,
) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let token = JoinToken {
        id: JoinTokenId(cx.new_id()),
        hash,
        created_at: cx.now,
        expires_at,
    };
    let expired = cx.state.join_tokens().filter(|it| it.expires_at <= cx.now);
    let mut changes: Vec<_> = expired
        .map(|it| crate::Change::Delete(crate::Key::JoinToken(it.id)))
        .collect();
    changes.push(token.clone().into());
    Ok(Decision::new(
        changes,
        Outcome::Resource(Box::new(Resource::JoinToken(token))),
    ))
}
