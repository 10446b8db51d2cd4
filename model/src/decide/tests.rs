//! Every command: what it changes, what refuses it, and that the state it leads to is the same for everybody.

mod accounts;
mod authority;
mod conditions;
mod configs;
mod images;
mod keys;
mod properties;
mod restarts;
mod services;
mod settings;
mod voting;
mod warrants;

use std::sync::Arc;

use std::net::SocketAddr;

use uuid::Uuid;

use super::{Decision, entry_changes};
use crate::{
    AccountId, Actor, Authority, Capacity, ClusterId, Command, ContainerSpec, DomainDraft, Envelope, Generation,
    Intent, KeyVersion, Kind, NodeDraft, NodeId, NodeStatus, OperationId, Outcome, Phase, PlanAction, Rejection,
    Replica, ReplicaReport, Resource, Revision, RouteDraft, Scope, Sealed, Service, ServiceDraft, ServiceId,
    ServiceKind, ServicePatch, State, Submission, Timestamp,
};

/// A state with the log that led to it.
struct Log {
    state: State,
    index: u64,
}

impl Log {
    fn new() -> Self {
        let mut log = Self {
            state: State::default(),
            index: 0,
        };
        let bootstrap = Command::Bootstrap {
            cluster: ClusterId(Uuid::from_u128(1)),
            admin: "admin".to_owned(),
            key_hash: [1; 32],
            authority: authority(),
        };
        log.system(bootstrap).expect("a new cluster");
        log
    }

    fn envelope(&self, actor: Actor, command: Command) -> Envelope {
        let n = self.index + 1;
        Envelope {
            at: Timestamp(1_700_000_000_000_000 + n * 1000),
            entropy: u128::from(n) << 64,
            submission: Submission::new(OperationId(Uuid::from_u128(u128::from(n))), actor, command),
        }
    }

    fn apply(&mut self, envelope: &Envelope) -> Result<Outcome, Rejection> {
        self.index += 1;
        let (changes, result) = entry_changes(&self.state, Revision(self.index), envelope);
        self.state.apply(Revision(self.index), envelope.at, changes);
        result
    }

    fn system(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let envelope = self.envelope(Actor::System, command);
        self.apply(&envelope)
    }

    fn admin(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let envelope = self.envelope(Actor::Account(self.account()), command);
        self.apply(&envelope)
    }

    fn account(&self) -> AccountId {
        self.state.accounts().next().expect("the admin").id
    }

    fn service(&mut self, name: &str) -> Service {
        match self.admin(Command::CreateService(draft(name))) {
            Ok(Outcome::Resource(Resource::Service(it))) => Arc::unwrap_or_clone(it),
            other => panic!("a service, not {other:?}"),
        }
    }

    fn node(&mut self, name: &str, port: u16) -> NodeId {
        let command = Command::JoinNode {
            token_hash: self.token(),
            draft: node_draft(name, port, 1),
        };
        match self.system(command) {
            Ok(Outcome::Node(id)) => id,
            other => panic!("a node, not {other:?}"),
        }
    }

    /// The first node needs none.
    fn token(&mut self) -> Option<[u8; 32]> {
        self.state.nodes().next()?;
        let expires_at = Timestamp(u64::MAX);
        self.admin(Command::CreateJoinToken {
            hash: [7; 32],
            expires_at,
        })
        .expect("a token");
        Some([7; 32])
    }

    fn place(&mut self, service: &Service, node: NodeId) -> Replica {
        let seen = self.state.service(service.id).expect("the service").touched;
        let actions = vec![PlanAction::Place {
            deployment: service.deployment,
            node,
        }];
        self.system(Command::ApplyPlan {
            service: service.id,
            seen,
            actions,
        })
        .expect("a plan");
        self.state.replicas_of(service.id).last().expect("a replica").clone()
    }
}

fn draft(name: &str) -> ServiceDraft {
    ServiceDraft {
        name: name.to_owned(),
        image: "web:1".to_owned(),
        port: Some(8080),
        replicas: 2,
        project: None,
        config: None,
        secret: None,
        container: ContainerSpec::default(),
        notes: String::new(),
    }
}

fn rename(service: &Service, name: &str) -> Command {
    let patch = ServicePatch {
        name: Some(name.to_owned()),
        ..ServicePatch::default()
    };
    Command::UpdateService(service.id, patch)
}

fn sealed(text: &str, key: u32) -> Sealed {
    Sealed {
        key: KeyVersion(key),
        wrapped: vec![key.to_le_bytes()[0]; 60],
        value: text.as_bytes().to_vec(),
    }
}

fn authority() -> Authority {
    Authority {
        certificate: vec![1],
        key: sealed("authority", 1),
    }
}

fn node_draft(name: &str, port: u16, boot: u128) -> NodeDraft {
    let addr = |offset| SocketAddr::from(([127, 0, 0, 1], port + offset));
    NodeDraft {
        name: name.to_owned(),
        peer_addr: addr(0),
        api_addr: addr(1),
        http_addr: addr(2),
        runs_agent: true,
        version: "1".to_owned(),
        boot: Uuid::from_u128(boot),
        capacity: Capacity::default(),
    }
}

fn report(replica: &Replica, phase: Phase) -> ReplicaReport {
    ReplicaReport {
        replica: replica.id,
        phase,
        reason: None,
        address: None,
        restarts: 0,
    }
}

#[test]
fn a_cluster_is_born_once() {
    let mut log = Log::new();
    let again = Command::Bootstrap {
        cluster: ClusterId(Uuid::nil()),
        admin: "b".to_owned(),
        key_hash: [2; 32],
        authority: authority(),
    };
    assert_eq!(log.system(again), Err(Rejection::AlreadyInitialised));
    assert!(log.state.api_key_by_hash(&[1; 32]).is_some());
}

#[test]
fn a_repeated_operation_answers_the_same_and_changes_nothing() {
    let mut log = Log::new();
    let envelope = log.envelope(Actor::Account(log.account()), Command::CreateService(draft("web")));
    let first = log.apply(&envelope).expect("made");
    let services = log.state.services().count();
    assert_eq!(log.apply(&envelope), Ok(first));
    assert_eq!(log.state.services().count(), services);
}

#[test]
fn time_never_runs_backwards() {
    let mut log = Log::new();
    let mut envelope = log.envelope(Actor::Account(log.account()), Command::CreateService(draft("web")));
    let before = log.state.now();
    envelope.at = Timestamp(5);
    log.apply(&envelope).expect("made");
    assert_eq!(log.state.now(), before);
    assert_eq!(log.state.services().next().map(|it| it.created_at), Some(before));
}

#[test]
fn node_ids_are_never_given_out_twice_and_a_retried_join_answers_the_same() {
    let mut log = Log::new();
    assert_eq!(log.node("a", 100), NodeId(1));
    assert_eq!(log.node("b", 200), NodeId(2));
    let again = Command::JoinNode {
        token_hash: Some([7; 32]),
        draft: node_draft("b", 200, 1),
    };
    assert_eq!(
        log.system(again),
        Ok(Outcome::Node(NodeId(2))),
        "its first answer was lost"
    );
    let wiped = Command::JoinNode {
        token_hash: Some([7; 32]),
        draft: node_draft("b", 200, 2),
    };
    assert!(
        matches!(log.system(wiped), Err(Rejection::NodeConflict(_))),
        "the name is taken"
    );
    let same_address = Command::JoinNode {
        token_hash: Some([7; 32]),
        draft: node_draft("c", 200, 3),
    };
    assert!(matches!(log.system(same_address), Err(Rejection::NodeConflict(_))));
    let no_token = Command::JoinNode {
        token_hash: None,
        draft: node_draft("c", 300, 3),
    };
    assert_eq!(log.system(no_token), Err(Rejection::BadJoinToken));
    let bad_token = Command::JoinNode {
        token_hash: Some([8; 32]),
        draft: node_draft("c", 300, 3),
    };
    assert_eq!(log.system(bad_token), Err(Rejection::BadJoinToken));
}

#[test]
fn a_token_lets_in_as_many_hosts_as_it_was_made_for() {
    let mut log = Log::new();
    log.node("a", 100);
    let counted = Command::CreateCountedJoinToken {
        hash: [9; 32],
        expires_at: Timestamp(u64::MAX),
        uses: 1,
    };
    log.admin(counted).expect("made");
    let join = |name: &str, port| Command::JoinNode {
        token_hash: Some([9; 32]),
        draft: node_draft(name, port, 5),
    };
    assert!(
        matches!(log.system(join("a", 300)), Err(Rejection::NodeConflict(_))),
        "refused, so it uses nothing up"
    );
    assert_eq!(log.system(join("b", 200)), Ok(Outcome::Node(NodeId(2))));
    let left = |log: &Log| {
        log.state
            .join_tokens()
            .find(|it| it.hash == [9; 32])
            .and_then(|it| log.state.join_token_uses(it.id))
            .map(|it| it.left)
    };
    assert_eq!(left(&log), Some(0));
    assert_eq!(log.system(join("c", 300)), Err(Rejection::BadJoinToken));
    assert_eq!(
        log.system(join("b", 200)),
        Ok(Outcome::Node(NodeId(2))),
        "the same start asks again"
    );
}

#[test]
fn what_was_counted_of_a_token_goes_with_it() {
    let mut log = Log::new();
    let until = |at| Command::CreateCountedJoinToken {
        hash: [9; 32],
        expires_at: at,
        uses: 2,
    };
    log.admin(until(Timestamp(1))).expect("made");
    log.admin(until(Timestamp(u64::MAX))).expect("made");
    assert_eq!(
        log.state.join_token_uses_records().count(),
        1,
        "the first one had expired"
    );
}

#[test]
fn a_verdict_counts_only_about_the_lease_that_was_looked_at() {
    let mut log = Log::new();
    let id = log.node("a", 100);
    let lease = log.state.node(id).expect("there").lease;
    log.system(Command::StartNode(id, node_draft("a", 100, 2)))
        .expect("started again");
    assert_eq!(
        log.system(Command::MarkNodeDown(id, lease)),
        Err(Rejection::Stale),
        "that was about an earlier life"
    );
    let lease = log.state.node(id).expect("there").lease;
    log.system(Command::MarkNodeDown(id, lease)).expect("down");
    assert_eq!(log.state.node(id).map(|it| it.status), Some(NodeStatus::Down));
    assert_eq!(
        log.system(Command::MarkNodeUp(id, Generation(0))),
        Err(Rejection::Stale)
    );
}

#[test]
fn a_domain_in_use_stays_and_its_user_is_named() {
    let mut log = Log::new();
    let service = log.service("web");
    log.admin(Command::CreateDomain(DomainDraft {
        hostname: "A.test".to_owned(),
        project: None,
    }))
    .expect("made");
    let domain = log
        .state
        .domain_by_hostname("a.TEST")
        .expect("found whatever the case")
        .id;
    let route = RouteDraft {
        path: "/x".to_owned(),
        enabled: true,
        domain,
        service: service.id,
    };
    log.admin(Command::CreateRoute(route)).expect("made");
    match log.admin(Command::DeleteDomain(domain)) {
        Err(Rejection::InUse {
            kind: Kind::Domain,
            used_by,
        }) => assert!(used_by.contains("/x"), "{used_by}"),
        other => panic!("in use, not {other:?}"),
    }
    log.admin(Command::DeleteService(service.id)).expect("deleted");
    assert_eq!(log.state.routes().count(), 0, "routes go with their service");
    log.admin(Command::DeleteDomain(domain))
        .expect("nobody uses it any more");
}

#[test]
fn an_account_has_ten_active_keys_at_most() {
    let mut log = Log::new();
    let account = log.account();
    let create = |n: u8, expires_at| Command::CreateApiKey {
        account,
        name: "k".to_owned(),
        hash: [n; 32],
        scope: Scope::Full,
        expires_at,
    };
    log.admin(create(50, Some(Timestamp(1))))
        .expect("an expired one does not count");
    for n in 2..=10 {
        log.admin(create(n, None)).expect("one of ten");
    }
    assert_eq!(log.admin(create(11, None)), Err(Rejection::TooManyKeys(10)));
}

#[test]
fn what_others_own_is_not_there() {
    let mut log = Log::new();
    let service = log.service("web");
    let stranger = Actor::Account(AccountId(Uuid::from_u128(99)));
    let envelope = log.envelope(stranger, Command::DeleteService(service.id));
    assert_eq!(
        log.apply(&envelope),
        Err(Rejection::NotFound {
            kind: Kind::Service,
            id: service.id.0
        })
    );
}
