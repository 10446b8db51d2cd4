//! Why the replicas of a service are where they are, and what would help those that have no place. The predicates are those
//! of the placement itself: what is said here is what it goes by.

mod remedy;
mod text;

use std::collections::BTreeMap;

use model::{ByteCount, Deployment, Millicores, Node, NodeId, Phase, Replica, ReplicaId, ServiceId, State, Timestamp};

pub use self::remedy::{Change, Remedy};
use crate::placement::{self, Obstacle, Placement};
use crate::rollout::Situation;
use crate::{Loads, place};

/// Why a service stands as it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The version whose replicas are wanted: the newest, or the last good one if that has failed.
    pub version: u32,
    /// The newest version, where that is another.
    pub failed: Option<u32>,
    /// Replicas that are wanted.
    pub wanted: u32,
    /// Replicas that answer.
    pub ready: u32,
    /// Replicas that have no place.
    pub missing: u32,
    /// What each of them is promised.
    pub needs: Needs,
    /// Each replica, sorted by id.
    pub replicas: Vec<Placed>,
    /// Each node, as the place of one more replica: those that can take it first, the best in front; then by name.
    pub nodes: Vec<Candidate>,
    /// What would help, the smallest change first. Empty if none is missing.
    pub remedies: Vec<Remedy>,
}

/// What a replica is promised of its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// CPU.
    pub cpu: Millicores,
    /// Memory.
    pub memory: ByteCount,
}

/// Where a replica is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Which one.
    pub replica: ReplicaId,
    /// Its deployment's version.
    pub version: u32,
    /// Where it is.
    pub node: NodeId,
    /// How far it has come.
    pub phase: Phase,
    /// Why it is there, and what is to become of it.
    pub why: String,
}

/// A node as the place of one more replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// What stands in the way.
    pub obstacle: Option<Obstacle>,
    /// What is not promised to anybody yet.
    pub free: Needs,
    /// Replicas of this service and version that it has.
    pub peers: u32,
    /// Why it can take one, or not.
    pub why: String,
}

/// Explains how a service stands; `None` if there is no such service.
#[must_use]
pub fn explain(state: &State, id: ServiceId, now: Timestamp) -> Option<Explanation> {
    let situation = Situation::read(state, id)?;
    let loads = Loads::of(state);
    let target = situation.target;
    let peers = counted(situation.current.iter().map(|it| it.node));
    let missing = situation.wanted().saturating_sub(situation.current.len());
    let nodes = candidates(state, &loads, &peers, target);
    let remedies = if missing == 0 {
        Vec::new()
    } else {
        remedy::remedies(state, &loads, &situation)
    };
    let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let resources = target.spec.container.resources;
    let answers = |it: &&Replica| it.is_serving() && state.node(it.node).is_some_and(Node::is_up);
    let mut replicas: Vec<_> = state
        .replicas_of(id)
        .map(|it| Placed {
            replica: it.id,
            version: it.version,
            node: it.node,
            phase: it.phase,
            why: text::of_replica(state, &situation, &loads, it, now),
        })
        .collect();
    replicas.sort_by_key(|it| it.replica);
    Some(Explanation {
        version: target.version,
        failed: (situation.newest.id != target.id).then_some(situation.newest.version),
        wanted: count(situation.wanted()),
        ready: count(state.replicas_of(id).filter(answers).count()),
        missing: count(missing),
        needs: Needs {
            cpu: resources.cpu_reservation,
            memory: resources.memory_reservation,
        },
        replicas,
        nodes,
        remedies,
    })
}

fn counted(nodes: impl Iterator<Item = NodeId>) -> BTreeMap<NodeId, u32> {
    let mut counts = BTreeMap::new();
    nodes.for_each(|it| *counts.entry(it).or_default() += 1);
    counts
}

fn candidates(state: &State, loads: &Loads, peers: &BTreeMap<NodeId, u32>, target: &Deployment) -> Vec<Candidate> {
    let rules = state.pinned_settings(target.id).placement;
    let mut all: Vec<_> = state
        .nodes()
        .map(|node| {
            let obstacle = placement::obstacle(node, loads, target, &rules);
            let candidate = Candidate {
                node: node.id,
                name: node.name.clone(),
                obstacle,
                free: free(node, loads),
                peers: peers.get(&node.id).copied().unwrap_or(0),
                why: text::of_node(node, loads, peers, (target, &rules)),
            };
            let same = if rules.spread { candidate.peers } else { 0 };
            let rank = obstacle.is_none().then(|| (same, loads.pressure(state, node.id)));
            ((rank.is_none(), rank, node.name.clone()), candidate)
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.into_iter().map(|(_, it)| it).collect()
}

/// What of a node is not promised to anybody.
fn free(node: &Node, loads: &Loads) -> Needs {
    let load = loads.get(node.id);
    Needs {
        cpu: Millicores(node.capacity.cpu.0.saturating_sub(load.cpu.0)),
        memory: ByteCount(node.capacity.memory.0.saturating_sub(load.memory.0)),
    }
}

/// Where a replica would go if it were placed now.
fn best(state: &State, loads: &Loads, peers: &BTreeMap<NodeId, u32>, target: &Deployment) -> Option<NodeId> {
    match place(state, &mut loads.clone(), peers, target) {
        Placement::On(node) => Some(node),
        Placement::Nowhere(_) => None,
    }
}

#[cfg(test)]
mod tests;
