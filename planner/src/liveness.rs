//! Verdicts on nodes from the leases that the leader keeps in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Command, NodeId, NodeStatus, State};
use uuid::Uuid;

/// When and how a node last renewed its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// How long ago, by the leader's monotonic clock.
    pub ago: Duration,
    /// The boot id that it gave.
    pub boot: Uuid,
}

/// Nodes whose lease ran out, and nodes that are back, as commands in the order of their ids.
///
/// A node that this leader has not heard from yet has had its lease since the leader first saw it, `known_for` ago: when
/// it was elected, or when the node joined later. Either gives a node one lease of grace, no more.
#[must_use]
pub fn liveness(
    state: &State,
    seen: &BTreeMap<NodeId, LastSeen>,
    known_for: impl Fn(NodeId) -> Duration,
    lease: Duration,
) -> Vec<Command> {
    state
        .nodes()
        .filter_map(|node| {
            let last = seen.get(&node.id);
            let silent_for = last.map_or_else(|| known_for(node.id), |it| it.ago);
            let same_life = last.is_some_and(|it| it.boot == node.boot);
            match node.status {
                NodeStatus::Up if silent_for > lease => Some(Command::MarkNodeDown(node.id, node.lease)),
                NodeStatus::Down if same_life && silent_for < lease / 2 => {
                    Some(Command::MarkNodeUp(node.id, node.lease))
                }
                NodeStatus::Up | NodeStatus::Down => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
