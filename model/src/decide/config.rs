//! Configs and their items.

use super::context::{References, refuse_if_used};
use super::rollout::items_changed;
use super::{Context, Decision};
use crate::{
    AccountId, Change, Config, ConfigDraft, ConfigId, ConfigItem, ConfigItemId, ConfigItemPatch, ConfigPatch, Field,
    Key, Kind, ProjectId, Rejection,
};

pub(super) fn create(cx: &Context<'_>, draft: &ConfigDraft) -> Result<Decision, Rejection> {
    let account = cx.account()?;
    let project = draft.project.unwrap_or(account.default_project);
    check_project(cx, project)?;
    let config = fresh(cx, ConfigId(cx.new_id()), account.id, project, &draft.name);
    Ok(Decision::put(config))
}

/// A config as it begins.
pub(super) fn fresh(cx: &Context<'_>, id: ConfigId, account: AccountId, project: ProjectId, name: &str) -> Config {
    Config {
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

pub(super) fn update(cx: &Context<'_>, id: ConfigId, patch: &ConfigPatch) -> Result<Decision, Rejection> {
    let mut config = touched(cx, cx.config(id)?);
    if let Some(project) = patch.project.filter(|it| *it != config.project) {
        check_project(cx, project)?;
        if config.is_default {
            return Err(Rejection::DefaultStays(Kind::Config));
        }
        config.project = project;
    }
    if let Some(name) = &patch.name {
        config.name.clone_from(name);
    }
    Ok(Decision::put(config))
}

pub(super) fn delete(cx: &Context<'_>, id: ConfigId) -> Result<Decision, Rejection> {
    let config = cx.config(id)?;
    refuse_if_used(
        Kind::Config,
        cx.state
            .users_of_config(id)
            .map(|it| format!("{} {}", super::service::kind(it).word(), it.name)),
    )?;
    if config.is_default {
        return Err(Rejection::DefaultStays(Kind::Config));
    }
    Ok(Decision::done(removal(cx, id)))
}

/// A config and its items go.
pub(super) fn removal(cx: &Context<'_>, id: ConfigId) -> Vec<Change> {
    let items = cx.state.items_of_config(id).all().into_iter();
    let mut changes: Vec<_> = items.map(|it| Change::Delete(Key::ConfigItem(it.id))).collect();
    changes.push(Change::Delete(Key::Config(id)));
    changes
}

pub(super) fn create_item(cx: &Context<'_>, id: ConfigId, key: &str, value: &str) -> Result<Decision, Rejection> {
    let config = cx.config(id)?;
    require_free_key(cx, id, key)?;
    Ok(put_item(
        cx,
        config,
        ConfigItem {
            id: ConfigItemId(cx.new_id()),
            config: id,
            account: config.account,
            key: key.to_owned(),
            value: value.to_owned(),
            created_at: cx.now,
            updated_at: cx.now,
            revision: cx.revision,
        },
    ))
}

pub(super) fn update_item(cx: &Context<'_>, id: ConfigItemId, patch: &ConfigItemPatch) -> Result<Decision, Rejection> {
    let before = cx.config_item(id)?;
    let mut item = ConfigItem {
        updated_at: cx.now,
        revision: cx.revision,
        ..before.clone()
    };
    if let Some(key) = patch.key.as_ref().filter(|key| **key != before.key) {
        require_free_key(cx, item.config, key)?;
        item.key.clone_from(key);
    }
    if let Some(value) = &patch.value {
        item.value.clone_from(value);
    }
    if (&item.key, &item.value) == (&before.key, &before.value) {
        // Nothing to roll out.
        return Ok(Decision::put(item));
    }
    Ok(put_item(cx, cx.config(item.config)?, item))
}

pub(super) fn delete_item(cx: &Context<'_>, id: ConfigItemId) -> Result<Decision, Rejection> {
    let config = cx.config(cx.config_item(id)?.config)?;
    let mut changes = vec![Change::Delete(Key::ConfigItem(id)), touched(cx, config).into()];
    changes.extend(items_changed(cx, cx.state.users_of_config(config.id)));
    Ok(Decision::done(changes))
}

fn put_item(cx: &Context<'_>, config: &Config, item: ConfigItem) -> Decision {
    let mut decision = Decision::put(item);
    decision.changes.push(touched(cx, config).into());
    decision
        .changes
        .extend(items_changed(cx, cx.state.users_of_config(config.id)));
    decision
}

fn touched(cx: &Context<'_>, config: &Config) -> Config {
    Config {
        updated_at: cx.now,
        revision: cx.revision,
        ..config.clone()
    }
}

fn require_free_key(cx: &Context<'_>, config: ConfigId, key: &str) -> Result<(), Rejection> {
    match cx.state.config_item_by_key(config, key) {
        Some(_) => Err(Rejection::KeyTaken(Kind::ConfigItem)),
        None => Ok(()),
    }
}

pub(super) fn check_project(cx: &Context<'_>, project: ProjectId) -> Result<(), Rejection> {
    let mut references = References::default();
    references.check(Field::Project, project.0, cx.project(project).is_ok());
    references.finish()
}
