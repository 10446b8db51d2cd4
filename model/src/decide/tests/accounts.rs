//! Accounts, sessions and keys.

use super::*;
use crate::{AccountPatch, PasswordHash};

fn account(log: &mut Log, name: &str, is_admin: bool) -> Result<AccountId, Rejection> {
    let create = Command::CreateAccount {
        name: name.to_owned(),
        password: Some(PasswordHash("x".to_owned())),
        is_admin,
    };
    log.admin(create)
        .map(|_| log.state.account_by_name(name).expect("there").id)
}

fn by(log: &mut Log, actor: AccountId, command: Command) -> Result<Outcome, Rejection> {
    let envelope = log.envelope(Actor::Account(actor), command);
    log.apply(&envelope)
}

fn session(account: AccountId, n: u8, expires_at: Timestamp) -> Command {
    Command::CreateSession {
        account,
        hash: [n; 32],
        csrf_hash: [n; 32],
        expires_at,
    }
}

#[test]
fn an_account_changes_itself_but_only_an_admin_makes_admins() {
    let mut log = Log::new();
    let eve = account(&mut log, "eve", false).expect("made");
    assert_eq!(account(&mut log, "eve", false), Err(Rejection::UsernameTaken));
    let rename = |name: &str| AccountPatch {
        name: Some(name.to_owned()),
        ..AccountPatch::default()
    };
    by(&mut log, eve, Command::UpdateAccount(eve, rename("eva"))).expect("renamed");
    let promote = AccountPatch {
        is_admin: Some(true),
        ..AccountPatch::default()
    };
    assert_eq!(
        by(&mut log, eve, Command::UpdateAccount(eve, promote.clone())),
        Err(Rejection::Forbidden)
    );
    let admin = log.account();
    assert!(matches!(
        by(&mut log, eve, Command::UpdateAccount(admin, rename("x"))),
        Err(Rejection::NotFound { .. })
    ));
    log.admin(Command::UpdateAccount(eve, promote)).expect("promoted");
    assert!(log.state.account(eve).expect("there").is_admin);
}

#[test]
fn there_is_always_an_admin() {
    let mut log = Log::new();
    let admin = log.account();
    let demote = AccountPatch {
        is_admin: Some(false),
        ..AccountPatch::default()
    };
    assert_eq!(
        log.admin(Command::UpdateAccount(admin, demote.clone())),
        Err(Rejection::LastAdmin)
    );
    assert_eq!(log.admin(Command::DeleteAccount(admin)), Err(Rejection::LastAdmin));
    account(&mut log, "eve", true).expect("made");
    log.admin(Command::UpdateAccount(admin, demote))
        .expect("another is left");
}

#[test]
fn an_account_that_holds_something_stays_and_an_empty_one_goes_whole() {
    let mut log = Log::new();
    let eve = account(&mut log, "eve", false).expect("made");
    by(&mut log, eve, Command::CreateService(draft("web"))).expect("made");
    match log.admin(Command::DeleteAccount(eve)) {
        Err(Rejection::InUse { used_by, .. }) => assert_eq!(used_by, "service web"),
        other => panic!("in use, not {other:?}"),
    }
    let service = log.state.services().next().expect("there").id;
    by(&mut log, eve, Command::DeleteService(service)).expect("deleted");
    log.system(session(eve, 5, Timestamp(u64::MAX))).expect("logged in");
    log.admin(Command::DeleteAccount(eve)).expect("deleted");
    assert_eq!((log.state.accounts().count(), log.state.projects().count()), (1, 1));
    assert!(log.state.session_by_hash(&[5; 32]).is_none());
    assert_eq!(log.state.configs().count(), 1);
}

#[test]
fn a_new_password_ends_all_sessions_and_old_sessions_are_swept() {
    let mut log = Log::new();
    let eve = account(&mut log, "eve", false).expect("made");
    log.system(session(eve, 1, Timestamp(u64::MAX))).expect("logged in");
    let password = AccountPatch {
        password: Some(PasswordHash("y".to_owned())),
        ..AccountPatch::default()
    };
    by(&mut log, eve, Command::UpdateAccount(eve, password)).expect("changed");
    assert!(log.state.session_by_hash(&[1; 32]).is_none());
    let past = log.state.now();
    log.system(session(eve, 2, past)).expect("logged in");
    log.system(session(eve, 3, Timestamp(u64::MAX))).expect("logged in");
    assert!(log.state.session_by_hash(&[2; 32]).is_none());
    let id = log.state.session_by_hash(&[3; 32]).expect("there").id;
    by(&mut log, eve, Command::EndSession(id)).expect("logged out");
    assert_eq!(log.state.sessions().count(), 0);
}

#[test]
fn the_use_of_a_key_is_noted_without_counting_as_a_change() {
    let mut log = Log::new();
    let key = log.state.api_keys().next().expect("the first").clone();
    log.system(Command::TouchApiKeys(vec![(key.id, Timestamp(9))]))
        .expect("noted");
    log.system(Command::TouchApiKeys(vec![(key.id, Timestamp(5))]))
        .expect("noted");
    let after = log.state.api_key(key.id).expect("there");
    assert_eq!((after.last_used_at, after.revision), (Some(Timestamp(9)), key.revision));
}
