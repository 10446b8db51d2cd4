//! What to say when a replica cannot be placed.

use model::{Deployment, Node, Reason, State};

use crate::Obstacle;

const NO_ROOM: &str = "no_room";
/// One replica alone is more than any node has.
const TOO_LARGE: &str = "larger_than_any_node";
/// The constraints leave no node.
const NO_MATCH: &str = "no_matching_node";

/// Whether waiting does not help: only another service or another node would.
pub(super) fn is_final(reason: &Reason) -> bool {
    [TOO_LARGE, NO_MATCH].contains(&reason.code.as_str())
}

/// Why `missing` replicas of `deployment` cannot be placed. `obstacles` has all nodes.
pub(super) fn nowhere(
    state: &State,
    deployment: &Deployment,
    missing: usize,
    obstacles: &[(String, Obstacle)],
) -> Reason {
    let all = |of: &[Obstacle]| !obstacles.is_empty() && obstacles.iter().all(|(_, it)| of.contains(it));
    let any = |of: Obstacle| obstacles.iter().any(|(_, it)| *it == of);
    if any(Obstacle::Small) && all(&[Obstacle::Small, Obstacle::Excluded, Obstacle::NoAgent]) {
        return reason(TOO_LARGE, too_large(state, deployment));
    }
    if any(Obstacle::Excluded) && all(&[Obstacle::Excluded, Obstacle::NoAgent]) {
        return reason(NO_MATCH, no_match(state, deployment));
    }
    let nodes: Vec<_> = obstacles
        .iter()
        .map(|(node, obstacle)| format!("{node} {obstacle}"))
        .collect();
    let nodes = if nodes.is_empty() {
        "the cluster has no nodes that run containers".to_owned()
    } else {
        nodes.join("; ")
    };
    let wanted = deployment.spec.replicas;
    reason(
        NO_ROOM,
        format!("{missing} of {wanted} replicas cannot be placed: {nodes}. Add a node, or lower the reservations."),
    )
}

fn reason(code: &str, message: String) -> Reason {
    let code = code.to_owned();
    Reason { code, message }
}

fn no_match(state: &State, deployment: &Deployment) -> String {
    let rules = state.pinned_settings(deployment.id).placement;
    let rules: Vec<_> = rules.constraints.iter().map(ToString::to_string).collect();
    let nodes: Vec<_> = state.nodes().map(|it| it.name.as_str()).collect();
    format!(
        "No node that runs containers meets placement.constraints ({}); the nodes are {}. Correct the constraints, or add \
         a node that meets them.",
        rules.join(", "),
        nodes.join(", ")
    )
}

fn too_large(state: &State, deployment: &Deployment) -> String {
    let rules = state.pinned_settings(deployment.id).placement;
    let admitted = |it: &&Node| it.runs_agent && rules.constraints.iter().all(|rule| rule.admits(&it.name));
    let largest = |of: fn(&Node) -> u64| {
        let node = state
            .nodes()
            .filter(admitted)
            .max_by_key(|it| (of(it), std::cmp::Reverse(it.id)));
        node.map(|it| (of(it), it.name.clone()))
    };
    let asks = deployment.spec.container.resources;
    let memory = |of: u64| format!("{} MiB of memory", of >> 20);
    let cpu = |of: u64| format!("{of} thousandths of a CPU");
    let mut faults = Vec::new();
    let mut compare = |field: &str, asked: u64, of: fn(&Node) -> u64, words: &dyn Fn(u64) -> String| {
        if let Some((most, name)) = largest(of).filter(|(most, _)| asked > *most) {
            let (asked, most) = (words(asked), words(most));
            faults.push(format!(
                "resources.{field} is {asked}, and the largest node, {name}, has {most}"
            ));
        }
    };
    let of_cpu = |it: &Node| it.capacity.cpu.0;
    let of_memory = |it: &Node| it.capacity.memory.0;
    compare("limits.cpu", asks.cpu_limit.unwrap_or_default().0, of_cpu, &cpu);
    compare("reservations.cpu", asks.cpu_reservation.0, of_cpu, &cpu);
    compare(
        "limits.memory",
        asks.memory_limit.unwrap_or_default().0,
        of_memory,
        &memory,
    );
    compare("reservations.memory", asks.memory_reservation.0, of_memory, &memory);
    if faults.is_empty() {
        // Each is had somewhere, but nowhere all of them.
        faults.push("no node has as much CPU and memory as resources asks for together".to_owned());
    }
    format!(
        "One replica is larger than any node: {}. Lower it, or add a larger node.",
        faults.join("; ")
    )
}
