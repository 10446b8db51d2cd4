//! What surrounds every command: expected revisions, allowances, idempotency, events.

use super::*;
use crate::{Charge, Event, EventId, Expect, Fingerprint, Key, QuotaKind};

#[test]
fn what_has_moved_on_is_left_alone() {
    let mut log = Log::new();
    let service = log.service("web");
    let expect = Some(Expect {
        key: Key::Service(service.id),
        revision: service.revision,
    });
    let mut first = log.envelope(Actor::Account(log.account()), rename(&service, "a"));
    first.submission.expect = expect;
    log.apply(&first).expect("as it was read");
    let mut second = log.envelope(Actor::Account(log.account()), rename(&service, "b"));
    second.submission.expect = expect;
    assert_eq!(log.apply(&second), Err(Rejection::PreconditionFailed));
    log.admin(Command::DeleteService(service.id)).expect("deleted");
    let mut third = log.envelope(Actor::Account(log.account()), rename(&service, "c"));
    third.submission.expect = expect;
    assert!(matches!(log.apply(&third), Err(Rejection::NotFound { .. })));
}

#[test]
fn an_allowance_counts_what_was_decided_and_not_what_it_refused() {
    let mut log = Log::new();
    let charge = Some(Charge {
        kind: QuotaKind::Operations,
        limit: 2,
    });
    let charged = |log: &Log, name: &str| {
        let mut envelope = log.envelope(Actor::Account(log.account()), Command::CreateService(draft(name)));
        envelope.submission.charge = charge;
        envelope
    };
    let first = charged(&log, "a");
    log.apply(&first).expect("one");
    let second = charged(&log, "a");
    assert_eq!(
        log.apply(&second),
        Err(Rejection::NameTaken(Kind::Service)),
        "counts as well"
    );
    let third = charged(&log, "b");
    assert_eq!(log.apply(&third), Err(Rejection::Throttled { seconds: 3600 }));
    assert_eq!(log.apply(&first).map(drop), Ok(()), "a retry costs nothing");
    let mut later = third;
    later.at = Timestamp(later.at.0 + 3_600_000_000);
    log.apply(&later).expect("the same operation, an hour later");
    let mut system = log.envelope(
        Actor::System,
        Command::UpdateNode(NodeId(1), crate::NodePatch::default()),
    );
    system.submission.charge = charge;
    assert!(
        matches!(log.apply(&system), Err(Rejection::NotFound { .. })),
        "the cluster itself pays nothing"
    );
}

#[test]
fn an_idempotency_key_is_for_one_request() {
    let mut log = Log::new();
    let mut envelope = log.envelope(Actor::Account(log.account()), Command::CreateService(draft("web")));
    envelope.submission.fingerprint = Some(Fingerprint([1; 32]));
    let first = log.apply(&envelope).expect("made");
    envelope.at = Timestamp(envelope.at.0 + 3_600_000_000);
    assert_eq!(log.apply(&envelope), Ok(first), "an hour later");
    envelope.submission.fingerprint = Some(Fingerprint([2; 32]));
    assert_eq!(log.apply(&envelope), Err(Rejection::IdempotencyKeyReused));
    envelope.submission.operation = OperationId(Uuid::from_u128(77));
    envelope.at = Timestamp(envelope.at.0 + 90_000_000_000);
    assert_eq!(log.apply(&envelope), Err(Rejection::NameTaken(Kind::Service)), "sweeps");
    assert_eq!(log.state.operation_count(), 1, "after a day it is forgotten");
}

#[test]
fn events_tell_who_did_what_in_one_sequence_without_gaps() {
    let mut log = Log::new();
    let start = log.state.last_event();
    let service = log.service("web");
    log.admin(rename(&service, "www")).expect("renamed");
    let node = log.node("a", 100);
    let lease = log.state.node(node).expect("there").lease;
    log.system(Command::MarkNodeDown(node, lease)).expect("down");
    log.admin(Command::DeleteService(service.id)).expect("deleted");
    let told: Vec<_> = log
        .state
        .events_after(start)
        .map(|it| (it.kind(), it.name.clone()))
        .collect();
    let told: Vec<_> = told.iter().map(|(kind, name)| (kind.as_str(), name.as_str())).collect();
    assert_eq!(
        told,
        [
            ("deployment.started", "version 1"),
            ("service.created", "web"),
            ("service.updated", "www"),
            ("node.created", "a"),
            ("node.down", "a"),
            ("service.deleted", "www"),
        ]
    );
    let ids: Vec<_> = log.state.events().map(|it| it.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).map(EventId).collect::<Vec<_>>());
    let last = log.state.events().last().expect("the deletion");
    assert_eq!(
        (last.actor.as_deref(), last.account),
        (Some("admin"), Some(service.account))
    );
    let down: &Event = log.state.events().rev().nth(1).expect("the verdict");
    assert_eq!((down.actor.as_deref(), down.account), (None, None));
    assert_eq!(log.state.events_of(service.account).all().len() + 2, ids.len());
}
