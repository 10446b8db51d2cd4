//! Accounts and their sessions.

use super::context::{not_found, refuse_if_used};
use super::{Context, Decision, project};
use crate::{
    Account, AccountId, AccountPatch, Change, Key, Kind, PasswordHash, Rejection, Session, SessionId, Timestamp,
};

/// How many ended sessions one login sweeps out at most.
const SWEEP: usize = 8;

pub(super) fn create(
    cx: &Context<'_>,
    name: &str,
    password: Option<&PasswordHash>,
    is_admin: bool,
) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    require_free_name(cx, name)?;
    let (account, changes) = fresh(cx, name, password.cloned(), is_admin);
    Ok(Decision::put_after(changes, account))
}

/// An account as it begins, and what is made with it. Takes the first four ids.
pub(super) fn fresh(
    cx: &Context<'_>,
    name: &str,
    password: Option<PasswordHash>,
    is_admin: bool,
) -> (Account, Vec<Change>) {
    let id = AccountId(cx.fresh(0));
    let (project, mut changes) = project::fresh(cx, id, project::DEFAULT, 1);
    let account = Account {
        id,
        name: name.to_owned(),
        is_admin,
        password,
        default_project: project.id,
        created_at: cx.now,
        updated_at: cx.now,
        revision: cx.revision,
    };
    changes.push(project.into());
    (account, changes)
}

/// An account changes its own name and password; who is an admin is for admins to say.
pub(super) fn update(cx: &Context<'_>, id: AccountId, patch: &AccountPatch) -> Result<Decision, Rejection> {
    let before = visible(cx, id)?;
    let mut account = Account {
        updated_at: cx.now,
        revision: cx.revision,
        ..before.clone()
    };
    if let Some(name) = patch.name.as_ref().filter(|name| **name != before.name) {
        require_free_name(cx, name)?;
        account.name.clone_from(name);
    }
    if let Some(is_admin) = patch.is_admin.filter(|it| *it != before.is_admin) {
        cx.require_admin()?;
        account.is_admin = is_admin;
        require_an_admin(cx, id, is_admin)?;
    }
    let mut changes = Vec::new();
    if let Some(password) = &patch.password {
        account.password = Some(password.clone());
        changes.extend(end_sessions(cx, id));
    }
    Ok(Decision::put_after(changes, account))
}

pub(super) fn delete(cx: &Context<'_>, id: AccountId) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let account = visible(cx, id)?;
    require_an_admin(cx, id, false)?;
    let projects = cx.state.projects_of(id).all();
    refuse_if_used(
        Kind::Account,
        projects.iter().flat_map(|it| {
            let other = (it.id != account.default_project).then(|| format!("project {}", it.name));
            other.into_iter().chain(project::contents(cx, it))
        }),
    )?;
    let mut changes: Vec<_> = projects.iter().flat_map(|it| project::removal(cx, it)).collect();
    let keys = cx.state.api_keys_of(id).all();
    changes.extend(keys.iter().map(|it| Change::Delete(Key::ApiKey(it.id))));
    changes.extend(end_sessions(cx, id));
    changes.push(Change::Delete(Key::Account(id)));
    Ok(Decision::done(changes))
}

pub(super) fn create_session(
    cx: &Context<'_>,
    account: AccountId,
    hash: [u8; 32],
    csrf_hash: [u8; 32],
    expires_at: Timestamp,
) -> Result<Decision, Rejection> {
    visible(cx, account)?;
    let session = Session {
        id: SessionId(cx.new_id()),
        account,
        hash,
        csrf_hash,
        created_at: cx.now,
        expires_at,
    };
    let ended = cx
        .state
        .sessions_by_end()
        .take(SWEEP)
        .take_while(|it| it.expires_at <= cx.now);
    let changes = ended.map(|it| Change::Delete(Key::Session(it.id)));
    Ok(Decision::put_after(changes.collect(), session))
}

pub(super) fn end_session(cx: &Context<'_>, id: SessionId) -> Result<Decision, Rejection> {
    match cx.state.session(id).filter(|it| cx.owns(it.account)) {
        Some(_) => Ok(Decision::done(vec![Change::Delete(Key::Session(id))])),
        None => Err(not_found(Kind::Session, id.0)),
    }
}

fn end_sessions<'a>(cx: &Context<'a>, account: AccountId) -> impl Iterator<Item = Change> + 'a {
    let sessions = cx.state.sessions_of(account);
    sessions.map(|it| Change::Delete(Key::Session(it.id)))
}

/// An account sees itself, an admin all of them.
fn visible<'a>(cx: &Context<'a>, id: AccountId) -> Result<&'a Account, Rejection> {
    let may = cx.owns(id) || cx.require_admin().is_ok();
    cx.state
        .account(id)
        .filter(|_| may)
        .ok_or(not_found(Kind::Account, id.0))
}

fn require_an_admin(cx: &Context<'_>, changed: AccountId, is_admin: bool) -> Result<(), Rejection> {
    let others = || cx.state.accounts().any(|it| it.is_admin && it.id != changed);
    if is_admin || others() {
        Ok(())
    } else {
        Err(Rejection::LastAdmin)
    }
}

fn require_free_name(cx: &Context<'_>, name: &str) -> Result<(), Rejection> {
    match cx.state.account_by_name(name) {
        Some(_) => Err(Rejection::UsernameTaken),
        None => Ok(()),
    }
}
