//! Commands of clients whose requests were judged by a state that may have been old.

use super::*;
use crate::{AccountPatch, ApiKeyId, Credential, Expect, Fingerprint, Key, Warrant};

/// The admin's key, by which its commands are warranted.
fn key(log: &Log) -> ApiKeyId {
    let keys = log.state.api_keys_of(log.account()).all();
    keys.first().expect("the first key").id
}

fn warranted(log: &Log, source: Option<Expect>, command: Command) -> Envelope {
    let account = log.state.account(log.account()).expect("the admin");
    let warrant = Warrant {
        credential: Credential::Key(key(log)),
        account: account.revision,
        source,
    };
    log.envelope(Actor::Warranted(account.id, warrant), command)
}

#[test]
fn a_warranted_command_is_that_of_its_account() {
    let mut log = Log::new();
    let envelope = warranted(&log, None, Command::CreateService(draft("web")));
    let made = log.apply(&envelope).expect("made");
    assert_eq!(log.apply(&envelope), Ok(made), "once");
    let service = log.state.services().next().expect("a service");
    assert_eq!(service.account, log.account());
    let event = log.state.events().last().expect("an event");
    assert_eq!(event.actor.as_deref(), Some("admin"));
}

#[test]
fn a_key_that_is_gone_warrants_nothing_and_leaves_no_trace() {
    let mut log = Log::new();
    let mut done = warranted(&log, None, Command::CreateService(draft("before")));
    done.submission.fingerprint = Some(Fingerprint([1; 32]));
    log.apply(&done).expect("made");
    let envelope = warranted(&log, None, Command::CreateService(draft("web")));
    log.system(Command::RevokeApiKey(key(&log))).expect("revoked");
    assert_eq!(log.apply(&envelope), Err(Rejection::Unwarranted));
    assert_eq!(log.state.operation(envelope.submission.operation), None, "not recorded");
    assert_eq!(
        log.apply(&done),
        Err(Rejection::Unwarranted),
        "nor is an answer given again"
    );
}

#[test]
fn an_account_that_has_changed_is_judged_anew() {
    let mut log = Log::new();
    let envelope = warranted(&log, None, Command::CreateService(draft("web")));
    let patch = AccountPatch {
        name: Some("root".to_owned()),
        ..AccountPatch::default()
    };
    log.admin(Command::UpdateAccount(log.account(), patch))
        .expect("renamed");
    assert_eq!(log.apply(&envelope), Err(Rejection::Unwarranted));
    let again = warranted(&log, None, Command::CreateService(draft("web")));
    log.apply(&again).map(drop).expect("warranted by what is so now");
}

#[test]
fn somebody_elses_key_warrants_nothing() {
    let mut log = Log::new();
    let create = Command::CreateAccount {
        name: "other".to_owned(),
        password: None,
        is_admin: false,
    };
    log.admin(create).expect("an account");
    let other = log.state.account_by_name("other").expect("it").clone();
    let warrant = Warrant {
        credential: Credential::Key(key(&log)),
        account: other.revision,
        source: None,
    };
    let envelope = log.envelope(
        Actor::Warranted(other.id, warrant),
        Command::CreateService(draft("web")),
    );
    assert_eq!(log.apply(&envelope), Err(Rejection::Unwarranted));
}

#[test]
fn what_was_carried_over_must_still_be_so() {
    let mut log = Log::new();
    let service = log.service("web");
    let source = Some(Expect {
        key: Key::Service(service.id),
        revision: service.revision,
    });
    let first = warranted(&log, source, rename(&service, "a"));
    log.apply(&first).expect("as it was read");
    let second = warranted(&log, source, rename(&service, "b"));
    assert_eq!(log.apply(&second), Err(Rejection::Stale));
}

#[test]
fn a_warrant_waits_until_every_node_knows_what_it_is() {
    let mut log = Log::new();
    let plain = log.envelope(Actor::System, Command::Spend).submission;
    let warranted = warranted(&log, None, Command::Spend).submission;
    assert!(plain.level() < warranted.level());
    let draft = |version: &str| NodeDraft {
        version: version.to_owned(),
        ..node_draft("a", 1, 1)
    };
    let id = log.node("a", 1);
    for (version, takes) in [
        ("0.1.0", false),
        ("0.1.0+commands.4", false),
        ("0.1.0+commands.5", true),
    ] {
        log.system(Command::StartNode(id, draft(version))).expect("started");
        assert_eq!(log.state.takes_warrants(), takes, "{version}");
    }
    let other = log.node("b", 2);
    assert_eq!(log.state.lowest_node().map(|it| it.id), Some(other));
}
