//! A small cluster for tests, driven through the real commands.

use std::net::SocketAddr;

use model::{
    Actor, Authority, ByteCount, Capacity, Change, ClusterId, Command, ContainerSpec, DomainDraft, Envelope,
    KeyVersion, Millicores, NodeDraft, NodeId, NodePatch, OperationId, Outcome, Phase, Reason, Rejection, ReplicaId,
    ReplicaReport, Resource, Revision, RouteDraft, Sealed, ServiceDraft, ServiceId, ServicePatch, Setting, State,
    Submission, Timestamp, entry_changes,
};
use uuid::Uuid;

use crate::check::check;
use crate::{Balancing, Loads, Rebalance, ServicePlan, plan_service, rebalance};

/// The boot id of every node of the tests.
pub(crate) const BOOT: Uuid = Uuid::from_u128(1);

pub(crate) struct TestCluster {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    index: u64,
}

/// Signs nothing here.
fn authority() -> Authority {
    let key = Sealed {
        key: KeyVersion(1),
        wrapped: Vec::new(),
        value: Vec::new(),
    };
    Authority {
        certificate: Vec::new(),
        key,
    }
}

impl TestCluster {
    /// `nodes` nodes named `n1`, `n2` ... with room for four CPUs and 4 GiB.
    pub(crate) fn new(nodes: u16) -> Self {
        let mut it = Self {
            state: State::default(),
            now: Timestamp(1_700_000_000_000_000),
            index: 0,
        };
        let cluster = ClusterId(Uuid::from_u128(7));
        it.system(Command::Bootstrap {
            cluster,
            admin: "admin".to_owned(),
            key_hash: [1; 32],
            authority: authority(),
        })
        .expect("born");
        it.admin(Command::CreateJoinToken {
            hash: [2; 32],
            expires_at: Timestamp(u64::MAX),
        })
        .expect("a token");
        for n in 1..=nodes {
            it.system(Command::JoinNode {
                token_hash: Some([2; 32]),
                draft: node_draft(n),
            })
            .expect("joined");
        }
        it
    }

    pub(crate) fn system(&mut self, command: Command) -> Result<Outcome, Rejection> {
        self.apply(Actor::System, command)
    }

    pub(crate) fn admin(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let account = self.state.accounts().next().expect("the admin").id;
        self.apply(Actor::Account(account), command)
    }

    fn apply(&mut self, actor: Actor, command: Command) -> Result<Outcome, Rejection> {
        self.index += 1;
        self.now.0 += 1000;
        let envelope = Envelope {
            at: self.now,
            entropy: u128::from(self.index) << 64,
            submission: Submission::new(OperationId(Uuid::from_u128(u128::from(self.index))), actor, command),
        };
        let (changes, result) = entry_changes(&self.state, Revision(self.index), &envelope);
        self.state.apply(Revision(self.index), self.now, changes);
        result
    }

    pub(crate) fn service(&mut self, name: &str, replicas: u8, container: ContainerSpec) -> ServiceId {
        let draft = ServiceDraft {
            name: name.to_owned(),
            image: "web:1".to_owned(),
            port: Some(8080),
            replicas,
            project: None,
            config: None,
            secret: None,
            container,
            notes: String::new(),
        };
        match self.admin(Command::CreateService(draft)) {
            Ok(Outcome::Resource(Resource::Service(it))) => it.id,
            other => panic!("a service, not {other:?}"),
        }
    }

    pub(crate) fn patch(&mut self, id: ServiceId, patch: ServicePatch) {
        self.admin(Command::UpdateService(id, patch)).expect("patched");
    }

    pub(crate) fn patch_node(&mut self, id: NodeId, patch: NodePatch) {
        self.admin(Command::UpdateNode(id, patch)).expect("patched");
    }

    /// Says settings anew, besides what else changes.
    pub(crate) fn say(&mut self, id: ServiceId, patch: ServicePatch, said: Vec<Setting>) {
        self.admin(Command::UpdateServiceWith(id, patch, said)).expect("said");
    }

    pub(crate) fn route(&mut self, hostname: &str, path: &str, service: ServiceId) {
        let _ = self.admin(Command::CreateDomain(DomainDraft {
            hostname: hostname.to_owned(),
            project: None,
        }));
        let domain = self.state.domain_by_hostname(hostname).expect("made").id;
        let draft = RouteDraft {
            path: path.to_owned(),
            enabled: true,
            domain,
            service,
        };
        self.admin(Command::CreateRoute(draft)).expect("made");
    }

    /// Plans a service once, checks the plan, and carries it out.
    pub(crate) fn plan(&mut self, id: ServiceId) -> ServicePlan {
        let plan = plan_service(&self.state, id, &mut Loads::of(&self.state), self.now);
        let wanted = self.state.deployments_of(id).map(|it| usize::from(it.spec.replicas));
        let wanted = wanted.max().unwrap_or_default();
        let surge = wanted.div_ceil(4).max(1);
        let wrong = check(&self.state, id, &plan, surge);
        assert!(wrong.is_empty(), "{wrong:?} in {plan:?}");
        if let Some(service) = self.state.service(id).filter(|_| !plan.actions.is_empty()) {
            let seen = service.touched;
            let command = Command::ApplyPlan {
                service: id,
                seen,
                actions: plan.actions.clone(),
            };
            self.system(command).expect("made from the newest state");
        }
        plan
    }

    /// Begins the moves that are due, checked.
    pub(crate) fn balance(&mut self, balancing: &mut Balancing) -> Rebalance {
        let plan = rebalance(&self.state, balancing, &Loads::of(&self.state), self.now);
        for it in &plan.moves {
            let actions = it.actions.clone();
            let look_again = None;
            let wrong = check(&self.state, it.service, &ServicePlan { actions, look_again }, 1);
            assert!(wrong.is_empty(), "{wrong:?} in {it:?}");
            let seen = self.state.service(it.service).expect("there").touched;
            let (service, actions) = (it.service, it.actions.clone());
            self.system(Command::ApplyPlan { service, seen, actions })
                .expect("made from the newest state");
        }
        plan
    }

    pub(crate) fn report(&mut self, id: ReplicaId, phase: Phase, reason: Option<Reason>) {
        let node = self.state.replica(id).expect("there").node;
        let last = self.index.to_be_bytes()[7];
        let address = (phase == Phase::Ready).then(|| SocketAddr::from(([10, 0, 0, last], 8080)));
        let reports = vec![ReplicaReport {
            replica: id,
            phase,
            reason,
            address,
            restarts: 0,
        }];
        self.system(Command::ReportReplicas {
            node,
            boot: BOOT,
            reports,
        })
        .expect("taken");
    }

    /// Every host does at once what is wanted of its replicas, as long as it is up.
    pub(crate) fn hosts_obey(&mut self) {
        let replicas: Vec<_> = self.state.replicas().cloned().collect();
        for replica in replicas {
            if !self.state.node(replica.node).is_some_and(model::Node::is_up) {
                continue;
            }
            match replica.intent {
                model::Intent::Stop => self.report(replica.id, Phase::Stopped, None),
                model::Intent::Run if replica.phase != Phase::Ready => self.report(replica.id, Phase::Ready, None),
                model::Intent::Run => {}
            }
        }
    }

    pub(crate) fn down(&mut self, node: u64) {
        let lease = self.state.node(NodeId(node)).expect("there").lease;
        self.system(Command::MarkNodeDown(NodeId(node), lease)).expect("down");
    }

    pub(crate) fn up(&mut self, node: u64) {
        let lease = self.state.node(NodeId(node)).expect("there").lease;
        self.system(Command::MarkNodeUp(NodeId(node), lease)).expect("up");
    }

    /// How many wanted replicas of a service each node has, the fullest first; nodes without any are left out.
    pub(crate) fn spread(&self, id: ServiceId) -> Vec<usize> {
        let mut counts = std::collections::BTreeMap::<NodeId, usize>::new();
        for replica in self.state.replicas_of(id).filter(|it| it.intent == model::Intent::Run) {
            *counts.entry(replica.node).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    /// Replicas that answer requests, per node.
    pub(crate) fn serving(&self, id: ServiceId) -> Vec<u64> {
        let up = |it: &&model::Replica| self.state.node(it.node).is_some_and(model::Node::is_up);
        let mut nodes: Vec<_> = self
            .state
            .replicas_of(id)
            .filter(|it| it.is_serving())
            .filter(up)
            .map(|it| it.node.0)
            .collect();
        nodes.sort_unstable();
        nodes
    }
}

fn node_draft(n: u16) -> NodeDraft {
    let addr = |port| SocketAddr::from(([10, 1, 0, n.to_be_bytes()[1]], port));
    NodeDraft {
        name: format!("n{n}"),
        peer_addr: addr(7401),
        api_addr: addr(7400),
        http_addr: addr(80),
        runs_agent: true,
        version: "1".to_owned(),
        boot: BOOT,
        capacity: Capacity {
            cpu: Millicores(4000),
            memory: ByteCount(4 << 30),
            replicas: 100,
        },
    }
}

/// What the entries between two states have changed, as the feed would tell it.
pub(crate) fn difference(before: &State, after: &State) -> Vec<Change> {
    let (old, new): (Vec<_>, Vec<_>) = (before.resources().collect(), after.resources().collect());
    let gone = old.iter().filter(|it| new.iter().all(|other| other.key() != it.key()));
    let put = new.iter().filter(|it| !old.contains(it));
    put.map(|it| Change::Put(it.clone()))
        .chain(gone.map(|it| Change::Delete(it.key())))
        .collect()
}
