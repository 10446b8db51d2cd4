use std::sync::Arc;

use model::{
    ByteCount, Capacity, Generation, Intent, Millicores, NodeId, NodeStatus, Phase, Replica, ReplicaId, Revision,
    Timestamp,
};
use uuid::Uuid;

use super::*;

const WAITING: ServiceId = ServiceId(Uuid::from_u128(1));
const OTHER: ServiceId = ServiceId(Uuid::from_u128(2));

fn node() -> Node {
    let addr = ([10, 0, 0, 1], 80).into();
    Node {
        id: NodeId(1),
        name: "n1".to_owned(),
        peer_addr: addr,
        api_addr: addr,
        http_addr: addr,
        runs_agent: true,
        version: "1".to_owned(),
        boot: Uuid::nil(),
        status: NodeStatus::Up,
        lease: Generation(1),
        schedulable: true,
        draining: false,
        capacity: Capacity {
            cpu: Millicores(1000),
            memory: ByteCount(1 << 30),
            replicas: 10,
        },
        joined_at: Timestamp(0),
        changed_at: Timestamp(0),
        revision: Revision(1),
    }
}

fn batch(before: Vec<Resource>, changes: Vec<Change>) -> Batch {
    let before = State::from_resources(Revision(1), Timestamp(0), before);
    let mut after = before.clone();
    after.apply(Revision(2), Timestamp(0), changes.clone());
    Batch {
        before,
        after,
        changes: Arc::from(changes),
    }
}

/// An agenda on which one service waits, and nothing else is due.
fn waiting(now: Instant) -> Agenda {
    let mut agenda = Agenda::default();
    agenda.due(&State::default(), now);
    agenda.settle(WAITING, Some(now + Duration::from_secs(1)));
    agenda.take_new_room();
    assert_eq!(agenda.due(&State::default(), now), []);
    agenda
}

#[test]
fn whoever_waits_for_room_looks_again_as_soon_as_a_node_changes() {
    let full = node();
    let larger = Node {
        capacity: Capacity {
            memory: ByteCount(2 << 30),
            ..full.capacity
        },
        ..node()
    };
    let cordoned = Node {
        schedulable: false,
        ..node()
    };
    let draining = Node {
        draining: true,
        ..node()
    };
    let down = Node {
        status: NodeStatus::Down,
        ..node()
    };
    let small = full.clone();
    for (before, after, gains) in [
        (None, full.clone(), true),
        (Some(full), larger, true),
        (Some(cordoned.clone()), node(), true),
        (Some(draining), node(), true),
        (Some(down), node(), true),
        (Some(node()), small, false),
        (Some(node()), cordoned, false),
    ] {
        let now = Instant::now();
        let mut agenda = waiting(now);
        let before: Vec<_> = before.into_iter().map(Resource::from).collect();
        agenda.note(&batch(before, vec![after.clone().into()]));
        assert_eq!(agenda.due(&State::default(), now), [WAITING], "{after:?}");
        assert_eq!(agenda.take_new_room(), gains, "{after:?}");
    }
}

#[test]
fn a_replica_that_is_gone_makes_room_and_concerns_its_own_service() {
    let now = Instant::now();
    let mut agenda = waiting(now);
    let replica = Replica {
        id: ReplicaId(Uuid::from_u128(9)),
        service: OTHER,
        deployment: model::DeploymentId(Uuid::nil()),
        account: model::AccountId(Uuid::nil()),
        version: 1,
        node: NodeId(1),
        intent: Intent::Stop,
        phase: Phase::Stopped,
        reason: None,
        address: None,
        restarts: 0,
        created_at: Timestamp(0),
        changed_at: Timestamp(0),
        revision: Revision(1),
    };
    let gone = Change::Delete(Key::Replica(replica.id));
    agenda.note(&batch(vec![Resource::from(replica)], vec![gone]));
    assert_eq!(agenda.due(&State::default(), now), [WAITING, OTHER]);
}

#[test]
fn what_waits_is_due_when_its_time_has_come_and_everything_now_and_then() {
    let now = Instant::now();
    let mut agenda = waiting(now);
    let later = now + Duration::from_secs(1);
    assert_eq!(agenda.due(&State::default(), later), [WAITING]);
    agenda.settle(WAITING, None);
    assert_eq!(agenda.due(&State::default(), later), []);
    assert!(!agenda.take_new_room());
    agenda.due(&State::default(), now + RESYNC);
    assert!(agenda.take_new_room(), "nobody has looked for long");
}
