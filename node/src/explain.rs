//! The planner's explanations, for the API.

use api::{ExplainedNode, ExplainedRemedy, ExplainedReplica, Explanation};
use model::{ServiceId, State, Timestamp};

/// Why a service stands as it does.
pub(crate) fn of(state: &State, service: ServiceId, now: Timestamp) -> Option<Explanation> {
    let it = planner::explain(state, service, now)?;
    Some(Explanation {
        version: it.version,
        failed_version: it.failed,
        wanted: it.wanted,
        ready: it.ready,
        missing: it.missing,
        replicas: it.replicas.into_iter().map(replica).collect(),
        nodes: it.nodes.into_iter().map(node).collect(),
        remedies: it.remedies.iter().map(remedy).collect(),
    })
}

fn replica(it: planner::Placed) -> ExplainedReplica {
    ExplainedReplica {
        id: it.replica,
        version: it.version,
        node: it.node,
        why: it.why,
    }
}

fn node(it: planner::Candidate) -> ExplainedNode {
    ExplainedNode {
        id: it.node,
        fits: it.obstacle.is_none(),
        free_cpu: it.free.cpu.0,
        free_memory: it.free.memory.0,
        replicas: it.peers,
        why: it.why,
    }
}

fn remedy(it: &planner::Remedy) -> ExplainedRemedy {
    ExplainedRemedy {
        text: it.change.to_string(),
        command: it.change.command(),
        places: it.places,
    }
}
