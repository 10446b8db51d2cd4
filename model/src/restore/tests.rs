use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::{
    AccountId, DeploymentId, Intent, JoinToken, JoinTokenId, Key, Phase, Replica, ReplicaId, Revision, Sealed,
    SecretPin, ServiceId, ServiceSpec, Session, SessionId,
};

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn authority(byte: u8) -> Authority {
    Authority {
        certificate: vec![byte],
        key: Sealed {
            key: KeyVersion(1),
            wrapped: Vec::new(),
            value: Vec::new(),
        },
    }
}

fn deployment(status: DeploymentStatus) -> Deployment {
    Deployment {
        id: DeploymentId(id(5)),
        service: ServiceId(id(6)),
        account: AccountId(id(1)),
        version: 1,
        spec: ServiceSpec {
            image: "web:1".to_owned(),
            port: Some(80),
            replicas: 1,
            config: None,
            secret: None,
            container: crate::ContainerSpec::default(),
        },
        config_snapshot: BTreeMap::new(),
        secrets: Vec::<SecretPin>::new(),
        status,
        deployed_at: Timestamp(100),
        deployed_by: "admin".to_owned(),
        rollback_from: None,
        notes: String::new(),
        error_message: String::new(),
        deadline: Timestamp(400),
        revision: Revision(3),
    }
}

fn before(status: DeploymentStatus) -> State {
    let node = |n| Resource::from(waiting(NodeId(n), &format!("node-{n}"), Timestamp(1), Revision(1)));
    let replica = Replica {
        id: ReplicaId(id(7)),
        service: ServiceId(id(6)),
        deployment: DeploymentId(id(5)),
        account: AccountId(id(1)),
        version: 1,
        node: NodeId(2),
        intent: Intent::Run,
        phase: Phase::Ready,
        reason: None,
        address: None,
        restarts: 0,
        created_at: Timestamp(1),
        changed_at: Timestamp(1),
        revision: Revision(1),
    };
    let cluster = Cluster {
        id: ClusterId(id(1)),
        created_at: Timestamp(1),
        next_node: NodeId(4),
        authority: authority(1),
        keyring: KeyringState::default(),
    };
    let token = JoinToken {
        id: JoinTokenId(id(8)),
        hash: [1; 32],
        created_at: Timestamp(1),
        expires_at: Timestamp(u64::MAX),
    };
    let session = Session {
        id: SessionId(id(9)),
        account: AccountId(id(1)),
        hash: [2; 32],
        csrf_hash: [3; 32],
        created_at: Timestamp(1),
        expires_at: Timestamp(u64::MAX),
    };
    let resources = [
        Resource::from(cluster),
        node(2),
        node(3),
        Resource::from(deployment(status)),
        Resource::from(replica),
        Resource::from(token),
        Resource::from(session),
    ];
    State::from_resources(Revision(42), Timestamp(500), resources)
}

fn new(now: u64) -> Refounding {
    Refounding {
        cluster: ClusterId(id(100)),
        node_name: "first".to_owned(),
        authority: authority(9),
        keyring: KeyringState {
            current: KeyVersion(2),
            oldest: KeyVersion(1),
            lock: None,
        },
        now: Timestamp(now),
    }
}

#[test]
fn the_old_cluster_is_gone_and_what_people_made_stays() {
    let old = before(DeploymentStatus::Success);
    let restored = old.refounded(&new(1_000));
    let keys: Vec<_> = restored.resources().map(|it| it.key()).collect();
    assert_eq!(
        keys,
        [Key::Cluster, Key::Node(NodeId(4)), Key::Deployment(DeploymentId(id(5)))]
    );
    let cluster = restored.cluster().expect("there is one");
    assert_eq!((cluster.id, cluster.next_node), (ClusterId(id(100)), NodeId(5)));
    assert_eq!(
        (&cluster.authority, cluster.keyring.current),
        (&authority(9), KeyVersion(2))
    );
    let node = restored.node(NodeId(4)).expect("there is one");
    assert_eq!(
        (node.name.as_str(), node.is_up()),
        ("first", false),
        "nothing is placed there before it starts"
    );
    assert_eq!(
        restored.deployment(DeploymentId(id(5))),
        old.deployment(DeploymentId(id(5)))
    );
    assert_eq!(
        (restored.revision(), restored.now()),
        (old.revision(), Timestamp(1_000))
    );
    assert_eq!(
        old.refounded(&new(3)).now(),
        Timestamp(500),
        "time never runs backwards"
    );
}

#[test]
fn a_rollout_that_was_under_way_has_its_time_again() {
    let deadline = |status, now| {
        let restored = before(status).refounded(&new(now));
        restored.deployment(DeploymentId(id(5))).expect("it stays").deadline
    };
    assert_eq!(deadline(DeploymentStatus::Pending, 10_000), Timestamp(10_300));
    assert_eq!(deadline(DeploymentStatus::Failed, 10_000), Timestamp(400));
}

#[test]
fn a_restored_node_has_an_id_that_was_never_given_out() {
    assert_eq!(before(DeploymentStatus::Success).restored_node(), NodeId(4));
    assert_eq!(State::default().restored_node(), NodeId(1));
}
