//! Secrets and their items. Values arrive sealed and stay sealed: nothing here could open one.

use super::config::check_project;
use super::context::{not_found, refuse_if_used};
use super::rollout::items_changed;
use super::{Context, Decision};
use crate::{
    AccountId, Change, ConfigDraft, ConfigPatch, DeploymentId, Key, Kind, ProjectId, Rejection, SealedItem, Secret,
    SecretId, SecretItem, SecretItemId, SecretValue, SecretValueId,
};

pub(super) fn create(cx: &Context<'_>, draft: &ConfigDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let project = draft.project.unwrap_or(account.default_project);
    check_project(cx, project)?;
    Ok(Decision::put(fresh(
        cx,
        SecretId(cx.new_id()),
        account.id,
        project,
        &draft.name,
    )))
}

/// A secret as it begins.
pub(super) fn fresh(cx: &Context<'_>, id: SecretId, account: AccountId, project: ProjectId, name: &str) -> Secret {
    Secret {
        id,
        account,
        project,
        name: name.to_owned(),
        is_default: false,
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
    }
}

pub(super) fn update(cx: &Context<'_>, id: SecretId, patch: &ConfigPatch) -> Result<Decision, Rejection> {
    let mut secret = touched(cx, cx.secret(id)?);
    if let Some(project) = patch.project.filter(|it| *it != secret.project) {
        check_project(cx, project)?;
        if secret.is_default {
            return Err(Rejection::DefaultStays(Kind::Secret));
        }
        secret.project = project;
    }
    if let Some(name) = &patch.name {
        secret.name.clone_from(name);
    }
    Ok(Decision::put(secret))
}

pub(super) fn delete(cx: &Context<'_>, id: SecretId) -> Result<Decision, Rejection> {
    let secret = cx.secret(id)?;
    refuse_if_used(
        Kind::Secret,
        cx.state
            .users_of_secret(id)
            .chain(cx.state.users_of_registry_secret(secret.account, id))
            .map(|it| format!("{} {}", super::service::kind(it).word(), it.name)),
    )?;
    if secret.is_default {
        return Err(Rejection::DefaultStays(Kind::Secret));
    }
    Ok(Decision::done(removal(cx, id)))
}

/// A secret, its items, and those values that no deployment is pinned to go.
pub(super) fn removal(cx: &Context<'_>, id: SecretId) -> Vec<Change> {
    let mut changes = Vec::new();
    for item in cx.state.items_of_secret(id).all() {
        changes.push(Change::Delete(Key::SecretItem(item.id)));
        changes.extend(unless_pinned(cx, item.value()));
    }
    changes.push(Change::Delete(Key::Secret(id)));
    changes
}

pub(super) fn create_item(cx: &Context<'_>, id: SecretId, sealed: &SealedItem) -> Result<Decision, Rejection> {
    let secret = cx.secret(id)?;
    require_kept_key(cx, sealed)?;
    // The node that sealed it drew the id; a value under another id or version would not open.
    if sealed.id.version != 1 || cx.state.secret_item(sealed.id.item).is_some() {
        return Err(Rejection::Stale);
    }
    require_free_key(cx, id, &sealed.key)?;
    let item = SecretItem {
        id: sealed.id.item,
        secret: id,
        account: secret.account,
        key: sealed.key.clone(),
        version: 1,
        created_at: cx.now,
        updated_at: cx.now,
        last_accessed_at: None,
        last_accessed_by: None,
        revision: cx.revision,
    };
    Ok(put_item(cx, secret, item, sealed))
}

pub(super) fn update_item(cx: &Context<'_>, sealed: &SealedItem) -> Result<Decision, Rejection> {
    let before = cx.secret_item(sealed.id.item)?;
    if sealed.id == before.value() && sealed.key == before.key {
        return Ok(touch(cx, before));
    }
    require_kept_key(cx, sealed)?;
    if sealed.id.version != before.version + 1 {
        return Err(Rejection::Stale);
    }
    if sealed.key != before.key {
        require_free_key(cx, before.secret, &sealed.key)?;
    }
    let item = SecretItem {
        key: sealed.key.clone(),
        version: sealed.id.version,
        updated_at: cx.now,
        revision: cx.revision,
        ..before.clone()
    };
    let mut decision = put_item(cx, cx.secret(before.secret)?, item, sealed);
    decision.changes.extend(unless_pinned(cx, before.value()));
    Ok(decision)
}

/// A change without anything changed.
fn touch(cx: &Context<'_>, before: &SecretItem) -> Decision {
    let item = SecretItem {
        updated_at: cx.now,
        revision: cx.revision,
        ..before.clone()
    };
    Decision::put(item)
}

pub(super) fn delete_item(cx: &Context<'_>, id: SecretItemId) -> Result<Decision, Rejection> {
    let item = cx.secret_item(id)?;
    let secret = cx.secret(item.secret)?;
    let mut changes = vec![Change::Delete(Key::SecretItem(id)), touched(cx, secret).into()];
    changes.extend(unless_pinned(cx, item.value()));
    changes.extend(items_changed(cx, cx.state.users_of_secret(secret.id)));
    Ok(Decision::done(changes))
}

pub(super) fn record_read(cx: &Context<'_>, id: SecretItemId) -> Result<Decision, Rejection> {
    let reader = cx.account()?;
    let item = SecretItem {
        last_accessed_at: Some(cx.now),
        last_accessed_by: Some(reader.name.clone()),
        ..cx.secret_item(id)?.clone()
    };
    Ok(Decision::put(item))
}

/// The values that go with deployments that go: those that are nobody's any more.
pub(super) fn released(cx: &Context<'_>, going: &[DeploymentId]) -> Vec<Change> {
    let pins = going
        .iter()
        .filter_map(|id| cx.state.deployment(*id))
        .flat_map(|it| it.secrets.iter().map(crate::SecretPin::value));
    let mut values: Vec<_> = pins.collect();
    values.sort_unstable();
    values.dedup();
    let is_current = |value: &SecretValueId| cx.state.secret_item(value.item).is_some_and(|it| it.value() == *value);
    values.retain(|value| !is_current(value) && !cx.state.is_pinned(*value, |it| going.contains(&it)));
    values
        .into_iter()
        .map(|it| Change::Delete(Key::SecretValue(it)))
        .collect()
}

fn unless_pinned(cx: &Context<'_>, value: SecretValueId) -> Option<Change> {
    (!cx.state.is_pinned(value, |_| false)).then_some(Change::Delete(Key::SecretValue(value)))
}

fn put_item(cx: &Context<'_>, secret: &Secret, item: SecretItem, sealed: &SealedItem) -> Decision {
    let value = SecretValue {
        id: sealed.id,
        key: sealed.key.clone(),
        sealed: sealed.sealed.clone(),
    };
    let mut decision = Decision::put(item);
    decision.changes.extend([value.into(), touched(cx, secret).into()]);
    decision
        .changes
        .extend(items_changed(cx, cx.state.users_of_secret(secret.id)));
    decision
}

fn touched(cx: &Context<'_>, secret: &Secret) -> Secret {
    Secret {
        updated_at: cx.now,
        revision: cx.revision,
        ..secret.clone()
    }
}

/// What comes too late under a key that was given up meanwhile could never be opened.
fn require_kept_key(cx: &Context<'_>, sealed: &SealedItem) -> Result<(), Rejection> {
    let oldest = cx.state.cluster().map(|it| it.keyring.oldest);
    if oldest.is_some_and(|it| sealed.sealed.key < it) {
        return Err(Rejection::Stale);
    }
    Ok(())
}

fn require_free_key(cx: &Context<'_>, secret: SecretId, key: &str) -> Result<(), Rejection> {
    match cx.state.secret_item_by_key(secret, key) {
        Some(_) => Err(Rejection::KeyTaken(Kind::SecretItem)),
        None => Ok(()),
    }
}

/// The sealed value behind an id, if the actor's it is.
pub(super) fn find_value<'a>(cx: &Context<'a>, id: SecretValueId) -> Result<&'a SecretValue, Rejection> {
    cx.state.secret_value(id).ok_or(not_found(Kind::SecretItem, id.item.0))
}
