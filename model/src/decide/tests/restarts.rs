//! What is done to replicas that run, without changing what they are.

use std::sync::Arc;

use super::*;
use crate::{DeploymentStatus, EventId, Verb};

fn restarted(log: &mut Log, service: ServiceId) -> crate::Deployment {
    let notes = "cache".to_owned();
    match log.admin(Command::RestartService { service, notes }) {
        Ok(Outcome::Resource(Resource::Deployment(it))) => Arc::unwrap_or_clone(it),
        other => panic!("a deployment, not {other:?}"),
    }
}

#[test]
fn a_restart_is_the_same_revision_once_more() {
    let mut log = Log::new();
    let service = log.service("web");
    let config = service.spec.config.expect("the default one");
    let (key, value) = ("A".to_owned(), "1".to_owned());
    log.admin(Command::CreateConfigItem { config, key, value })
        .expect("made");
    let before = log.state.service(service.id).expect("there").clone();
    assert!(before.item_change.is_some());
    let made = restarted(&mut log, service.id);
    assert_eq!(
        (made.version, made.notes.as_str(), made.status),
        (2, "cache", DeploymentStatus::Pending)
    );
    assert!(
        made.config_snapshot.is_empty(),
        "what has changed since comes by itself"
    );
    assert!(log.state.restart(made.id).is_some());
    let now = log.state.service(service.id).expect("there").clone();
    assert_eq!((now.deployment, now.version), (made.id, 2));
    assert_eq!((&now.spec, &now.item_change), (&before.spec, &before.item_change));
    let first = log.state.deployment(service.deployment).expect("there");
    assert_eq!(
        first.status,
        DeploymentStatus::Failed,
        "it was replaced before it had ended"
    );

    log.admin(Command::DeleteService(service.id)).expect("deleted");
    assert!(log.state.restart(made.id).is_none(), "it goes with its deployment");
    let gone = ServiceId(Uuid::from_u128(9));
    let refused = log.admin(Command::RestartService {
        service: gone,
        notes: String::new(),
    });
    assert!(matches!(refused, Err(Rejection::NotFound { .. })), "{refused:?}");
}

#[test]
fn a_command_beside_a_replica_is_on_record_and_changes_nothing() {
    let mut log = Log::new();
    let service = log.service("web");
    let node = log.node("a", 1);
    let replica = log.place(&service, node);
    let before = log.state.service(service.id).expect("there").clone();
    let last = log.state.last_event();
    let note = |replica| Command::NoteExec {
        service: service.id,
        replica,
        program: "sh".to_owned(),
    };
    assert_eq!(log.admin(note(replica.id)), Ok(Outcome::Done));
    assert_eq!(log.state.service(service.id), Some(&before));
    let event = log.state.events_after(last).next().expect("on record").clone();
    assert_eq!((event.id, event.verb), (EventId(last.0 + 1), Verb::Executed));
    assert_eq!(
        (event.kind().as_str(), event.actor.as_deref()),
        ("service.exec", Some("admin"))
    );
    assert_eq!(event.note, format!("sh beside replica {} on node a", replica.id));
    assert_eq!(event.object, service.id.to_string());
    let gone = crate::ReplicaId(Uuid::nil());
    assert_eq!(log.admin(note(gone)), Err(Rejection::Stale));
    assert_eq!(log.state.events_after(event.id).count(), 0);
    assert!(
        log.system(note(replica.id)).is_err(),
        "the cluster itself runs no commands"
    );
}
