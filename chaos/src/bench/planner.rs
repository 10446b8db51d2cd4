//! What planning costs in a cluster of 5,000 nodes and 100,000 replicas: a state of that size in memory, changed by the
//! very commands that a leader submits. No node is started.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::{
    Actor, Change, Command, Envelope, NodeId, OperationId, Revision, ServiceId, ServicePatch, State, Submission,
    entry_changes,
};
use planner::{Balancing, Loads, Work, plan_service, rebalance, reroute, routes};
use uuid::Uuid;

mod world;

/// How large the cluster is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Nodes.
    pub nodes: u64,
    /// Services, of twelve replicas each.
    pub services: u32,
}

/// Replicas of each service.
const REPLICAS: u8 = 12;

impl Size {
    /// 5,000 nodes with 100,000 replicas.
    pub const LARGE: Self = Self {
        nodes: 5_000,
        services: 8_334,
    };
}

/// One figure: what it took, and what was looked at for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// The longest of all times it was done.
    pub longest: Duration,
    /// The usual one.
    pub median: Duration,
    /// What was looked at, at most.
    pub work: Work,
}

/// What each kind of change costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Costs {
    /// One service gets a new image: the plan, its command decided and applied, and what is kept up to date with it.
    pub change: Cost,
    /// The same change in the table of a proxy.
    pub reroute: Cost,
    /// A node is lost: the plans of all services that it ran replicas of.
    pub node_lost: Cost,
    /// Every service is looked at, and nothing is to be done.
    pub look: Cost,
    /// Every replica is placed.
    pub place_all: Cost,
    /// Every service is asked whether it should move to a node that is back.
    pub balance: Cost,
}

/// Prints the figures.
pub fn planner() {
    let size = Size::LARGE;
    println!(
        "planning for {} nodes and {} replicas, one core",
        size.nodes,
        size.services * u32::from(REPLICAS)
    );
    println!(
        "{:<58} {:>10} {:>10} {:>9} {:>9}",
        "", "median ms", "longest ms", "nodes", "replicas"
    );
    let costs = measure(size, 200);
    for (what, cost, target) in [
        ("one change planned, decided and applied", costs.change, "10 ms"),
        ("the same change in a proxy's table", costs.reroute, ""),
        ("a lost node's services planned (about 20)", costs.node_lost, ""),
        ("all services looked at, nothing to do", costs.look, ""),
        ("a whole reschedule: every replica placed", costs.place_all, "1 s"),
        ("all services looked at after a node's return", costs.balance, ""),
    ] {
        let ms = |it: Duration| it.as_secs_f64() * 1000.0;
        let target = if target.is_empty() {
            String::new()
        } else {
            format!("  (target: under {target})")
        };
        println!(
            "{what:<58} {:>10.3} {:>10.3} {:>9} {:>9}{target}",
            ms(cost.median),
            ms(cost.longest),
            cost.work.nodes,
            cost.work.replicas
        );
    }
}

/// Measures each change `times` times; what concerns the whole cluster once.
pub fn measure(size: Size, times: usize) -> Costs {
    let mut world = World::new(world::empty(size));
    let place_all = world.place_all();
    world.all_ready();
    // Those that have just come up are told to be so.
    world.look();
    let look = world.look();
    let (change, reroute) = world.changes(times);
    let node = NodeId(size.nodes / 2);
    Costs {
        place_all,
        look,
        change,
        reroute,
        node_lost: world.lose_node(node),
        balance: world.return_node(node),
    }
}

/// A cluster's state, and what its leader keeps besides.
struct World {
    state: State,
    loads: Loads,
}

impl World {
    fn new(state: State) -> Self {
        let loads = Loads::of(&state);
        Self { state, loads }
    }

    /// Decides and applies a command, as every node does.
    fn submit(&mut self, actor: Actor, command: Command) -> Vec<Change> {
        let revision = Revision(self.state.revision().0 + 1);
        let operation = OperationId(Uuid::from_u128(u128::from(revision.0)));
        let envelope = Envelope {
            at: self.state.now().after(Duration::from_millis(1)),
            entropy: u128::from(revision.0) << 64,
            submission: Submission::new(operation, actor, command),
        };
        let (changes, _) = entry_changes(&self.state, revision, &envelope);
        let before = self.state.clone();
        self.state.apply(revision, envelope.at, changes.clone());
        self.loads.follow(&before, &self.state, &changes);
        changes
    }

    /// Plans a service and carries it out; what was looked at for it.
    fn plan(&mut self, id: ServiceId) -> Work {
        let mut loads = self.loads.clone();
        let before = loads.work();
        let plan = plan_service(&self.state, id, &mut loads, self.state.now());
        let work = since(before, loads.work());
        if let Some(service) = self.state.service(id).filter(|_| !plan.actions.is_empty()) {
            let (service, seen, actions) = (id, service.touched, plan.actions);
            self.submit(Actor::System, Command::ApplyPlan { service, seen, actions });
        }
        work
    }

    fn services(&self) -> Vec<ServiceId> {
        self.state.services().map(|it| it.id).collect()
    }

    /// Every host tells that all its replicas are ready.
    fn all_ready(&mut self) {
        for node in self.state.clone().nodes() {
            let reports = world::reports(&self.state, node);
            let (node, boot) = (node.id, node.boot);
            self.submit(Actor::System, Command::ReportReplicas { node, boot, reports });
        }
    }

    /// What is measured is the planning: commands go through the log one after the other anyway.
    fn place_all(&mut self) -> Cost {
        let (all, mut loads) = (self.services(), self.loads.clone());
        let (began, before) = (Instant::now(), loads.work());
        let plan = |id: &ServiceId| plan_service(&self.state, *id, &mut loads, self.state.now());
        let plans: Vec<_> = all.iter().map(plan).collect();
        let cost = once(began, since(before, loads.work()));
        for (service, plan) in all.into_iter().zip(plans) {
            let seen = self.state.service(service).map_or(Revision(0), |it| it.touched);
            let actions = plan.actions;
            self.submit(Actor::System, Command::ApplyPlan { service, seen, actions });
        }
        cost
    }

    fn look(&mut self) -> Cost {
        let (began, mut work) = (Instant::now(), Work::default());
        for id in self.services() {
            work = sum(work, self.plan(id));
        }
        once(began, work)
    }

    /// Services get a new image, and the first plan for it is made.
    fn changes(&mut self, times: usize) -> (Cost, Cost) {
        let (mut plans, mut reroutes) = (Samples::default(), Samples::default());
        let (me, all) = (NodeId(1), self.services());
        let mut table = routes(&self.state, me);
        for id in all.iter().step_by((all.len() / times).max(1)).take(times) {
            let patch = ServicePatch {
                image: Some("web:2".to_owned()),
                ..ServicePatch::default()
            };
            let before = self.state.clone();
            let changes = self.submit(world::ADMIN, Command::UpdateService(*id, patch));
            let began = Instant::now();
            let work = self.plan(*id);
            plans.add(began.elapsed(), work);
            let began = Instant::now();
            table = reroute(&table, &before, &self.state, me, &changes);
            reroutes.add(began.elapsed(), Work::default());
        }
        (plans.cost(), reroutes.cost())
    }

    fn lose_node(&mut self, node: NodeId) -> Cost {
        let services: BTreeSet<_> = self.state.replicas_on(node).map(|it| it.service).collect();
        self.verdict(node, Command::MarkNodeDown);
        let (began, mut work) = (Instant::now(), Work::default());
        for id in services {
            work = sum(work, self.plan(id));
        }
        once(began, work)
    }

    /// The first round of moves, which asks services until as many move as may at a time; and all others after that.
    fn return_node(&mut self, node: NodeId) -> Cost {
        self.all_ready();
        self.verdict(node, Command::MarkNodeUp);
        let now = self.state.now().after(Duration::from_secs(60));
        let began = Instant::now();
        for id in self.services() {
            let mut balancing = Balancing::default();
            balancing.consider([id]);
            let _ = rebalance(&self.state, &mut balancing, &self.loads, now);
        }
        once(began, Work::default())
    }

    fn verdict(&mut self, node: NodeId, command: impl Fn(NodeId, model::Generation) -> Command) {
        if let Some(lease) = self.state.node(node).map(|it| it.lease) {
            self.submit(Actor::System, command(node, lease));
        }
    }
}

fn sum(one: Work, other: Work) -> Work {
    Work {
        nodes: one.nodes + other.nodes,
        replicas: one.replicas + other.replicas,
    }
}

fn since(before: Work, after: Work) -> Work {
    Work {
        nodes: after.nodes - before.nodes,
        replicas: after.replicas - before.replicas,
    }
}

fn once(began: Instant, work: Work) -> Cost {
    let longest = began.elapsed();
    Cost {
        longest,
        median: longest,
        work,
    }
}

#[derive(Default)]
struct Samples {
    times: Vec<Duration>,
    work: Work,
}

impl Samples {
    fn add(&mut self, time: Duration, work: Work) {
        self.times.push(time);
        self.work.nodes = self.work.nodes.max(work.nodes);
        self.work.replicas = self.work.replicas.max(work.replicas);
    }

    fn cost(mut self) -> Cost {
        self.times.sort_unstable();
        Cost {
            longest: self.times.last().copied().unwrap_or_default(),
            median: self.times.get(self.times.len() / 2).copied().unwrap_or_default(),
            work: self.work,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time depends on the machine, what is looked at does not: it is that of the change, not that of the cluster.
    #[test]
    fn a_change_costs_as_much_as_it_changes_however_large_the_cluster_is() {
        let small = Size {
            nodes: 100,
            services: 160,
        };
        let large = Size {
            nodes: 2_000,
            services: 3_200,
        };
        let (of_small, of_large) = (measure(small, 10), measure(large, 10));
        for costs in [of_small, of_large] {
            let replicas = u64::from(REPLICAS);
            assert!(costs.change.work.replicas <= replicas, "{costs:?}");
            // Nodes that run a replica of the service already may be looked at before one that does not is found.
            assert!(costs.change.work.nodes <= 3 * (replicas + 1), "{costs:?}");
        }
        let all = |size: Size| u64::from(size.services) * u64::from(REPLICAS);
        assert_eq!(of_large.look.work.replicas, all(large));
        assert_eq!(of_large.look.work.nodes, 0);
        assert!(
            of_large.place_all.work.nodes <= u64::from(REPLICAS) * all(large),
            "{of_large:?}"
        );
        // A lost node costs its own services.
        assert!(
            of_large.node_lost.work.replicas <= 30 * u64::from(REPLICAS),
            "{of_large:?}"
        );
    }
}
