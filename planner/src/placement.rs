//! Where a replica goes: spread over nodes first, then by free capacity.

use std::collections::BTreeMap;

use model::{Deployment, Node, NodeId, NodeStatus, PlacementRules, Resources, State};

use crate::Loads;

/// Why a node cannot take a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The service's constraints rule it out.
    Excluded,
    /// One replica may use, or is promised, more than all that it has.
    Small,
    /// Its lease ran out.
    Down,
    /// It takes no new replicas.
    Unschedulable,
    /// It is being drained.
    Draining,
    /// It runs no containers.
    NoAgent,
    /// Too little CPU is free for the reservation.
    Cpu,
    /// Too little memory is free for the reservation.
    Memory,
    /// It runs as many containers as it may.
    Full,
}

/// Where a replica goes, or what stands in the way on each node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The best node.
    On(NodeId),
    /// Every node with its obstacle, by name; empty if there are no nodes.
    Nowhere(Vec<(String, Obstacle)>),
}

/// Finds the best node for one more replica of `deployment`: of those with room, the one with the fewest `peers`, then
/// with the largest share of memory and CPU free, then with the fewest replicas in all.
///
/// `peers`: how many replicas of the same service run what this one will, by node. Those of an older version do not
/// count, since they are about to go. Looks at hardly more nodes than there are peers, unless there is no room.
#[must_use]
pub fn place(state: &State, loads: &mut Loads, peers: &BTreeMap<NodeId, u32>, deployment: &Deployment) -> Placement {
    let rules = state.pinned_settings(deployment.id).placement;
    // Where they need not keep away from each other, it makes no difference who is there.
    let nobody = BTreeMap::new();
    let peers = if rules.spread { peers } else { &nobody };
    let mut looked_at = 0;
    let mut best: Option<(u32, NodeId)> = None;
    for id in loads.by_room() {
        looked_at += 1;
        let fits = state
            .node(id)
            .is_some_and(|it| obstacle(it, loads, deployment, &rules).is_none());
        let same = peers.get(&id).copied().unwrap_or(0);
        if fits && best.is_none_or(|(fewest, _)| same < fewest) {
            best = Some((same, id));
            if same == 0 {
                break;
            }
        }
    }
    loads.note_work(looked_at, 0);
    match best {
        Some((_, id)) => Placement::On(id),
        None => Placement::Nowhere(obstacles(state, loads, deployment, &rules)),
    }
}

/// What stands in the way on each node that has an obstacle, by name.
fn obstacles(state: &State, loads: &Loads, deployment: &Deployment, rules: &PlacementRules) -> Vec<(String, Obstacle)> {
    let all = state.nodes();
    let mut all: Vec<_> = all
        .filter_map(|node| Some((node.name.clone(), obstacle(node, loads, deployment, rules)?)))
        .collect();
    all.sort();
    all
}

/// Why a node cannot take a replica of `deployment`, whose rules these are; `None` if it can.
pub(crate) fn obstacle(
    node: &Node,
    loads: &Loads,
    deployment: &Deployment,
    rules: &PlacementRules,
) -> Option<Obstacle> {
    let load = loads.get(node.id);
    let (cpu, memory, replicas) = (load.cpu.0, load.memory.0, load.replicas);
    let needs = deployment.spec.container.resources;
    if !node.runs_agent {
        Some(Obstacle::NoAgent)
    } else if !rules.constraints.iter().all(|it| it.admits(&node.name)) {
        Some(Obstacle::Excluded)
    } else if is_too_small(node, needs) {
        Some(Obstacle::Small)
    } else if node.status == NodeStatus::Down {
        Some(Obstacle::Down)
    } else if node.draining {
        Some(Obstacle::Draining)
    } else if !node.schedulable {
        Some(Obstacle::Unschedulable)
    } else if cpu + needs.cpu_reservation.0 > node.capacity.cpu.0 {
        Some(Obstacle::Cpu)
    } else if memory + needs.memory_reservation.0 > node.capacity.memory.0 {
        Some(Obstacle::Memory)
    } else if replicas >= node.capacity.replicas {
        Some(Obstacle::Full)
    } else {
        None
    }
}

fn is_too_small(node: &Node, asks: Resources) -> bool {
    let cpu = asks.cpu_limit.unwrap_or_default().max(asks.cpu_reservation);
    let memory = asks.memory_limit.unwrap_or_default().max(asks.memory_reservation);
    cpu > node.capacity.cpu || memory > node.capacity.memory
}

impl Obstacle {
    /// Whether it goes once other replicas do.
    pub(crate) fn is_want_of_room(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Full)
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Excluded => "is ruled out by placement.constraints",
            Self::Small => "has less CPU or memory in all than one replica's limits or reservations",
            Self::Down => "is down",
            Self::Draining => "is being drained (draining is true)",
            Self::Unschedulable => "takes no new replicas (schedulable is false)",
            Self::NoAgent => "runs no containers (started with --no-agent)",
            Self::Cpu => "has too little CPU free for the reservation",
            Self::Memory => "has too little memory free for the reservation",
            Self::Full => "runs as many containers as it may",
        })
    }
}
