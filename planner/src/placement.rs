//! Where a replica goes: spread over nodes first, then by free capacity.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::{Deployment, Node, NodeId, NodeStatus, State};

use crate::Loads;

/// Why a node cannot take a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
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
/// count, since they are about to go.
#[must_use]
pub fn place(state: &State, loads: &Loads, peers: &BTreeMap<NodeId, u32>, deployment: &Deployment) -> Placement {
    let mut obstacles = Vec::new();
    let mut best: Option<(Score, NodeId)> = None;
    for node in state.nodes() {
        match obstacle(node, loads, deployment) {
            Some(obstacle) => obstacles.push((node.name.clone(), obstacle)),
            None => {
                let candidate = (score(node, loads, peers), node.id);
                best = Some(best.map_or(candidate, |it| it.min(candidate)));
            }
        }
    }
    obstacles.sort();
    best.map_or(Placement::Nowhere(obstacles), |(_, id)| Placement::On(id))
}

/// Smaller is better. Shares are in thousandths, because floats do not order.
type Score = (u32, Reverse<u64>, u32);

fn score(node: &Node, loads: &Loads, peers: &BTreeMap<NodeId, u32>) -> Score {
    let load = loads.get(node.id);
    let same = peers.get(&node.id).copied().unwrap_or(0);
    let memory_free = share_free(node.capacity.memory.0, load.map_or(0, |it| it.memory.0));
    let cpu_free = share_free(node.capacity.cpu.0, load.map_or(0, |it| it.cpu.0));
    (
        same,
        Reverse(memory_free.min(cpu_free)),
        load.map_or(0, |it| it.replicas),
    )
}

fn share_free(of: u64, taken: u64) -> u64 {
    (u128::from(of.saturating_sub(taken)) * 1000)
        .checked_div(u128::from(of))
        .unwrap_or(0) as u64
}

fn obstacle(node: &Node, loads: &Loads, deployment: &Deployment) -> Option<Obstacle> {
    let (cpu, memory, replicas) = loads
        .get(node.id)
        .map_or((0, 0, 0), |it| (it.cpu.0, it.memory.0, it.replicas));
    let needs = deployment.spec.container.resources;
    if node.status == NodeStatus::Down {
        Some(Obstacle::Down)
    } else if !node.runs_agent {
        Some(Obstacle::NoAgent)
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

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
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
