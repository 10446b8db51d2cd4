//! The smallest changes that would give a place to replicas that have none, found by trying them with the placement itself.

use std::collections::BTreeMap;
use std::fmt;

use model::{ByteCount, Deployment, Millicores, Node, NodeId, NodeStatus, State};

use super::text::{cpu, memory};
use super::{Needs, counted, free};
use crate::placement::{self, Obstacle, Placement};
use crate::rollout::Situation;
use crate::{Loads, place};

/// A change, and how many of the missing replicas it gives a place to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What to change.
    pub change: Change,
    /// How many replicas it gives a place to.
    pub places: u32,
}

/// Something that an operator can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: there is a place, and it is taken as soon as the rollout allows it.
    Wait,
    /// Let this node take new replicas.
    Uncordon(String),
    /// End the drain of this node.
    Undrain(String),
    /// Start this node again.
    Start(String),
    /// Reserve less for each replica, so that it fits on this node.
    Reserve {
        /// Instead of what is reserved now; the same where that is not what stands in the way.
        needs: Needs,
        /// Where it fits then.
        node: String,
    },
    /// Add a node with so much free.
    AddNode(Needs),
}

pub(super) fn remedies(state: &State, loads: &Loads, situation: &Situation<'_>) -> Vec<Remedy> {
    let target = situation.target;
    let (missing, peers) = (missing(situation), peers(situation));
    let now = placed(state, loads, &peers, target, missing);
    if now > 0 {
        return vec![Remedy {
            change: Change::Wait,
            places: now,
        }];
    }
    let mut found = Vec::new();
    for (change, mended) in state.nodes().filter_map(mended) {
        let changes = [model::Change::from(mended)];
        let (mut changed, mut loads) = (state.clone(), loads.clone());
        changed.apply(state.revision(), state.now(), changes.clone());
        loads.follow(state, &changed, &changes);
        let places = helped(&changed, &loads, target, missing);
        if places > 0 {
            found.push(Remedy { change, places });
        }
    }
    // Those that give a place to more come first; of these, by name.
    found.sort_by_key(|it| std::cmp::Reverse(it.places));
    if let Some((needs, node)) = smaller(state, loads, target) {
        let mut smaller = target.clone();
        smaller.spec.container.resources.cpu_reservation = needs.cpu;
        smaller.spec.container.resources.memory_reservation = needs.memory;
        let places = placed(state, loads, &peers, &smaller, missing);
        if places > 0 {
            let change = Change::Reserve { needs, node };
            found.push(Remedy { change, places });
        }
    }
    let resources = target.spec.container.resources;
    let needs = Needs {
        cpu: resources.cpu_reservation,
        memory: resources.memory_reservation,
    };
    found.push(Remedy {
        change: Change::AddNode(needs),
        places: 1,
    });
    found
}

fn missing(situation: &Situation<'_>) -> usize {
    situation.wanted().saturating_sub(situation.current.len())
}

fn peers(situation: &Situation<'_>) -> BTreeMap<NodeId, u32> {
    counted(situation.current.iter().map(|it| it.node))
}

/// How many of the replicas that were missing have a place in this state: those that may stay where they are, too.
fn helped(state: &State, loads: &Loads, target: &Deployment, before: usize) -> u32 {
    let Some(situation) = Situation::read(state, target.service) else {
        return 0;
    };
    let now = missing(&situation);
    let stay = u32::try_from(before.saturating_sub(now)).unwrap_or(u32::MAX);
    stay + placed(state, loads, &peers(&situation), target, now)
}

/// How many of the missing replicas find a place.
fn placed(state: &State, loads: &Loads, peers: &BTreeMap<NodeId, u32>, deployment: &Deployment, missing: usize) -> u32 {
    let (mut loads, mut peers) = (loads.clone(), peers.clone());
    let mut count = 0;
    for _ in 0..missing {
        let Placement::On(node) = place(state, &mut loads, &peers, deployment) else {
            break;
        };
        loads.place(state, node, deployment);
        *peers.entry(node).or_default() += 1;
        count += 1;
    }
    count
}

/// A node without what an operator has said of it, or what has happened to it.
fn mended(node: &Node) -> Option<(Change, Node)> {
    let name = || node.name.clone();
    let (change, mended) = if node.status == NodeStatus::Down {
        let up = Node {
            status: NodeStatus::Up,
            ..node.clone()
        };
        (Change::Start(name()), up)
    } else if node.draining {
        let kept = Node {
            draining: false,
            ..node.clone()
        };
        (Change::Undrain(name()), kept)
    } else if !node.schedulable {
        let open = Node {
            schedulable: true,
            ..node.clone()
        };
        (Change::Uncordon(name()), open)
    } else {
        return None;
    };
    Some((change, mended))
}

/// The largest reservations with which a replica fits somewhere, as much of each as can be kept, and where that is.
fn smaller(state: &State, loads: &Loads, target: &Deployment) -> Option<(Needs, String)> {
    let resources = target.spec.container.resources;
    let rules = state.pinned_settings(target.id).placement;
    let candidates = state.nodes().filter_map(|node| {
        let obstacle = placement::obstacle(node, loads, target, &rules)?;
        if !matches!(obstacle, Obstacle::Cpu | Obstacle::Memory | Obstacle::Small) {
            return None;
        }
        let free = free(node, loads);
        let needs = Needs {
            cpu: resources.cpu_reservation.min(free.cpu),
            memory: resources.memory_reservation.min(whole(free.memory)),
        };
        let mut smaller = target.clone();
        smaller.spec.container.resources.cpu_reservation = needs.cpu;
        smaller.spec.container.resources.memory_reservation = needs.memory;
        if placement::obstacle(node, loads, &smaller, &rules).is_some() {
            return None;
        }
        let kept = |part: u64, of: u64| (part * 1000).checked_div(of).unwrap_or(1000);
        let of = (
            kept(needs.memory.0, resources.memory_reservation.0),
            kept(needs.cpu.0, resources.cpu_reservation.0),
        );
        Some((of.0.min(of.1), of, std::cmp::Reverse(node.name.clone()), needs))
    });
    let (_, _, name, needs) = candidates.max_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)))?;
    // Nothing at all is no reservation any more; that is for its owner to say.
    let is_something = needs.memory.0 > 0 || resources.memory_reservation.0 == 0;
    let is_something = is_something && (needs.cpu.0 > 0 || resources.cpu_reservation.0 == 0);
    is_something.then_some((needs, name.0))
}

/// In MiB, as people write it.
fn whole(amount: ByteCount) -> ByteCount {
    ByteCount(amount.0 >> 20 << 20)
}

fn amounts(needs: Needs) -> String {
    match (needs.memory, needs.cpu) {
        (ByteCount(0), Millicores(0)) => "room for one more container".to_owned(),
        (amount, Millicores(0)) => format!("{} of memory", memory(amount)),
        (ByteCount(0), amount) => cpu(amount),
        (amount, cores) => format!("{} of memory and {}", memory(amount), cpu(cores)),
    }
}

impl Change {
    /// The command that makes it, where there is one.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        match self {
            Self::Uncordon(node) => Some(format!("goblins node uncordon {node}")),
            Self::Undrain(node) => Some(format!("goblins node undrain {node}")),
            Self::Wait | Self::Start(_) | Self::Reserve { .. } | Self::AddNode(_) => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait => f.write_str("wait: there is room, and it is taken as the rollout goes on"),
            Self::Uncordon(node) => write!(f, "uncordon node {node}"),
            Self::Undrain(node) => write!(f, "end the drain of node {node}"),
            Self::Start(node) => write!(f, "start node {node} again"),
            Self::Reserve { needs, node } => {
                write!(
                    f,
                    "lower the reservations to {}, and it fits on node {node}",
                    amounts(*needs)
                )
            }
            Self::AddNode(needs) => write!(f, "add a node with {} free", amounts(*needs)),
        }
    }
}
