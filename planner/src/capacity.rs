//! How much of each node is taken, and which nodes have most room: made once, then kept up to date change by change.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use imbl::{OrdMap, OrdSet};
use model::{
    ByteCount, Change, Deployment, Key, Millicores, Node, NodeId, NodeStatus, Replica, ReplicaId, Resources, State,
};

/// What the replicas of one node take of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) cpu: Millicores,
    pub(crate) memory: ByteCount,
    pub(crate) replicas: u32,
}

/// How little room a node has: smaller is better. The share that is free of what it has least of, in thousandths,
/// because floats do not order; then how many replicas it runs.
pub(crate) type Rank = (Reverse<u64>, u32);

/// One node that runs replicas, or may be given some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    load: Load,
    /// `None` if it takes no new replicas.
    rank: Option<Rank>,
}

/// How much has been looked at, so that tests can tell what planning costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Nodes that were considered for a replica.
    pub nodes: u64,
    /// Replicas that were looked at.
    pub replicas: u64,
}

/// What is taken of each node, and the nodes that take replicas in the order of their room. [`Loads::of`] walks all
/// replicas; [`Loads::follow`] costs as much as the changes reach. Cloning is O(1), so a round of planning works on a copy
/// that holds its own placements.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    places: OrdMap<NodeId, Place>,
    by_room: OrdSet<(Rank, NodeId)>,
    work: Work,
}

/// What has been looked at is no part of it.
impl PartialEq for Loads {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places && self.by_room == other.by_room
    }
}

impl Loads {
    /// Adds up what all replicas of the state take. One that is to be stopped still holds its place until it has.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let mut loads = Self::default();
        let mut taken = BTreeMap::<NodeId, Load>::new();
        for replica in state.replicas() {
            taken.entry(replica.node).or_default().add(needs(state, replica));
        }
        loads.places = taken
            .into_iter()
            .map(|(id, load)| (id, Place { load, rank: None }))
            .collect();
        state.nodes().for_each(|node| loads.rank_anew(state, node.id));
        loads
    }

    /// These after `changes` led from `before`, of which these are, to `after`.
    pub fn follow(&mut self, before: &State, after: &State, changes: &[Change]) {
        let (mut replicas, mut nodes) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            match (change.key(), change) {
                (Key::Replica(id), _) => drop(replicas.insert(id)),
                (Key::Node(id), _) => drop(nodes.insert(id)),
                // What its replicas take is forgotten with it.
                (Key::Deployment(id), Change::Delete(_)) => {
                    let service = before.deployment(id).map(|it| it.service);
                    let of_service = service.into_iter().flat_map(|it| before.replicas_of(it));
                    replicas.extend(of_service.filter(|it| it.deployment == id).map(|it| it.id));
                }
                _ => {}
            }
        }
        for id in replicas {
            nodes.extend(self.replace(before, after, id));
        }
        nodes.into_iter().for_each(|id| self.rank_anew(after, id));
    }

    /// Takes a replica as it was from its node and puts it as it is on its node; which nodes that concerns.
    fn replace(&mut self, before: &State, after: &State, id: ReplicaId) -> Vec<NodeId> {
        let of = |state: &State| state.replica(id).map(|it| (it.node, needs(state, it)));
        let (was, is) = (of(before), of(after));
        if was == is {
            return Vec::new();
        }
        if let Some((node, needs)) = was {
            self.places.entry(node).or_default().load.subtract(needs);
        }
        if let Some((node, needs)) = is {
            self.places.entry(node).or_default().load.add(needs);
        }
        was.into_iter().chain(is).map(|(node, _)| node).collect()
    }

    /// Notes that a replica of `deployment` was placed on `node`.
    pub fn place(&mut self, state: &State, node: NodeId, deployment: &Deployment) {
        let needs = deployment.spec.container.resources;
        self.places.entry(node).or_default().load.add(needs);
        self.rank_anew(state, node);
    }

    /// Notes that a replica of `deployment` is about to go from `node`.
    pub(crate) fn leave(&mut self, state: &State, node: NodeId, deployment: &Deployment) {
        let needs = deployment.spec.container.resources;
        self.places.entry(node).or_default().load.subtract(needs);
        self.rank_anew(state, node);
    }

    /// How little room two nodes would have if a replica moved from one to the other.
    pub(crate) fn after_move(&self, state: &State, from: NodeId, to: NodeId, needs: Resources) -> (Rank, Rank) {
        let (mut there, mut here) = (self.get(from), self.get(to));
        there.subtract(needs);
        here.add(needs);
        let of = |node, load| state.node(node).map_or((Reverse(0), 0), |it| rank(it, load));
        (of(from, &there), of(to, &here))
    }

    /// What has been looked at with these so far.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    pub(crate) fn note_work(&mut self, nodes: usize, replicas: usize) {
        self.work.nodes += nodes as u64;
        self.work.replicas += replicas as u64;
    }

    pub(crate) fn get(&self, node: NodeId) -> Load {
        self.places.get(&node).map_or_else(Load::default, |it| it.load)
    }

    /// Nodes that take replicas, those with most room first.
    pub(crate) fn by_room(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.by_room.iter().map(|(_, id)| *id)
    }

    /// How little room a node has, whether or not it takes replicas.
    pub(crate) fn pressure(&self, state: &State, node: NodeId) -> Rank {
        state.node(node).map_or((Reverse(0), 0), |it| rank(it, &self.get(node)))
    }

    fn rank_anew(&mut self, state: &State, id: NodeId) {
        let open = state.node(id).filter(|it| is_open(it));
        let place = self.places.entry(id).or_default();
        let old = place.rank.take();
        place.rank = open.map(|it| rank(it, &place.load));
        let place = *place;
        if place == Place::default() {
            self.places.remove(&id);
        }
        if old != place.rank {
            if let Some(old) = old {
                self.by_room.remove(&(old, id));
            }
            if let Some(rank) = place.rank {
                self.by_room.insert((rank, id));
            }
        }
    }
}

impl Load {
    fn add(&mut self, needs: Resources) {
        self.cpu.0 += needs.cpu_reservation.0;
        self.memory.0 += needs.memory_reservation.0;
        self.replicas += 1;
    }

    fn subtract(&mut self, needs: Resources) {
        self.cpu.0 = self.cpu.0.saturating_sub(needs.cpu_reservation.0);
        self.memory.0 = self.memory.0.saturating_sub(needs.memory_reservation.0);
        self.replicas = self.replicas.saturating_sub(1);
    }
}

fn needs(state: &State, replica: &Replica) -> Resources {
    let deployment = state.deployment(replica.deployment);
    deployment.map_or_else(Resources::default, |it| it.spec.container.resources)
}

/// Whether a node takes new replicas, if there is room.
fn is_open(node: &Node) -> bool {
    node.status == NodeStatus::Up && node.runs_agent && node.schedulable && !node.draining
}

fn rank(node: &Node, load: &Load) -> Rank {
    let memory = share_free(node.capacity.memory.0, load.memory.0);
    let cpu = share_free(node.capacity.cpu.0, load.cpu.0);
    (Reverse(memory.min(cpu)), load.replicas)
}

fn share_free(of: u64, taken: u64) -> u64 {
    (u128::from(of.saturating_sub(taken)) * 1000)
        .checked_div(u128::from(of))
        .unwrap_or(0) as u64
}

#[cfg(test)]
mod tests;
