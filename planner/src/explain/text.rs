//! The sentences.

use std::collections::BTreeMap;

use model::{
    ByteCount, Deployment, Intent, Millicores, Node, NodeId, Phase, PlacementRules, Replica, State, Timestamp,
};

use super::{best, counted, free};
use crate::Loads;
use crate::placement::{self, Obstacle};
use crate::rollout::Situation;

/// Why a replica is where it is, and what is to become of it.
pub(super) fn of_replica(
    state: &State,
    situation: &Situation<'_>,
    loads: &Loads,
    it: &Replica,
    now: Timestamp,
) -> String {
    let seconds = now.since(it.changed_at).as_secs();
    let reason = it
        .reason
        .as_ref()
        .map(|it| format!(": {}", it.message))
        .unwrap_or_default();
    let stands = match it.phase {
        Phase::Ready => format!("ready for {seconds} s"),
        Phase::Assigned => format!("placed {seconds} s ago, its host has not said anything yet"),
        Phase::Pulling => format!("its image has been fetched for {seconds} s{reason}"),
        Phase::Starting => format!("starting for {seconds} s{reason}"),
        Phase::Failed => format!("failed {seconds} s ago{reason}"),
        Phase::Stopped => "stopped".to_owned(),
    };
    format!("{stands}; {}", place_of(state, situation, loads, it))
}

fn place_of(state: &State, situation: &Situation<'_>, loads: &Loads, it: &Replica) -> String {
    let holds = |all: &[&Replica]| all.iter().any(|other| other.id == it.id);
    let Some(node) = state.node(it.node) else {
        return "its node has left the cluster".to_owned();
    };
    let name = &node.name;
    if it.intent == Intent::Stop {
        "no longer wanted; it ends once its requests have".to_owned()
    } else if holds(&situation.lost) {
        format!(
            "node {name} is down; it is given up when another takes its place, and goes on if the node comes back first"
        )
    } else if holds(&situation.old) && node.draining {
        format!("node {name} is being drained; it stays until another serves in its place")
    } else if holds(&situation.old) {
        let version = situation.target.version;
        format!("of an earlier version; it stays until enough replicas of version {version} are ready")
    } else {
        why_there(state, situation, loads, it, node)
    }
}

/// Compares its node with where it would go if it were placed now.
fn why_there(state: &State, situation: &Situation<'_>, loads: &Loads, it: &Replica, node: &Node) -> String {
    let others = situation.current.iter().filter(|other| other.id != it.id);
    let peers = counted(others.map(|other| other.node));
    let mut loads = loads.clone();
    loads.leave(state, it.node, situation.target);
    let here = peers.get(&it.node).copied().unwrap_or(0);
    match best(state, &loads, &peers, situation.target) {
        Some(best) if best == it.node => format!(
            "node {} is the best place for it: {}, {}",
            node.name,
            others_of(here),
            share(node, &loads)
        ),
        Some(best) => {
            let better = state.node(best).map_or_else(|| best.to_string(), |it| it.name.clone());
            format!(
                "it was placed on node {} and stays there; node {better} would be better by now, but what runs is not moved for that",
                node.name
            )
        }
        None => format!(
            "it runs on node {}, and there would be no other place for it",
            node.name
        ),
    }
}

fn others_of(peers: u32) -> String {
    match peers {
        0 => "no other replica of this service is there".to_owned(),
        1 => "only 1 other replica of this service is there".to_owned(),
        more => format!("{more} other replicas of this service are there, and no node has fewer"),
    }
}

fn share(node: &Node, loads: &Loads) -> String {
    let free = free(node, loads);
    format!(
        "{} of {} memory and {} of {} are free",
        memory(free.memory),
        memory(node.capacity.memory),
        number(free.cpu),
        cpu(node.capacity.cpu)
    )
}

/// Why a node can take one more replica, or not.
pub(super) fn of_node(
    node: &Node,
    loads: &Loads,
    peers: &BTreeMap<NodeId, u32>,
    (target, rules): (&Deployment, &PlacementRules),
) -> String {
    let needs = target.spec.container.resources;
    let free = free(node, loads);
    let Some(obstacle) = placement::obstacle(node, loads, target, rules) else {
        let same = peers.get(&node.id).copied().unwrap_or(0);
        let s = if same == 1 { "" } else { "s" };
        return format!(
            "can take one: {same} replica{s} of this service there, {}",
            share(node, loads)
        );
    };
    match obstacle {
        Obstacle::Memory => format!(
            "has too little memory free: {} of {} are, and a replica reserves {}",
            memory(free.memory),
            memory(node.capacity.memory),
            memory(needs.memory_reservation)
        ),
        Obstacle::Cpu => format!(
            "has too little CPU free: {} of {} are, and a replica reserves {}",
            number(free.cpu),
            cpu(node.capacity.cpu),
            cpu(needs.cpu_reservation)
        ),
        Obstacle::Full => format!("runs as many containers as it may, {}", node.capacity.replicas),
        other => other.to_string(),
    }
}

/// Such as `512 MiB`.
pub(super) fn memory(amount: ByteCount) -> String {
    match amount.0 {
        0 => "0".to_owned(),
        bytes if bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    }
}

/// Such as `0.5 cores`.
pub(super) fn cpu(amount: Millicores) -> String {
    let text = number(amount);
    let s = if text == "1" { "" } else { "s" };
    format!("{text} core{s}")
}

fn number(amount: Millicores) -> String {
    let text = format!("{}.{:03}", amount.0 / 1000, amount.0 % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
