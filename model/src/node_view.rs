//! What one host has to know to do its work.

use crate::{Deployment, NodeId, Replica, Revision, State};

/// A replica that a host should run or stop, with all that is needed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The replica as the cluster knows it.
    pub replica: Replica,
    /// Name of its service, for people.
    pub service_name: String,
    /// What it runs; `None` once the service was deleted and it is only to be stopped.
    pub deployment: Option<Deployment>,
}

/// What one host should run, at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// The state it was read from.
    pub revision: Revision,
    /// Sorted by replica id.
    pub assignments: Vec<Assignment>,
}

/// Reads the view of `node` out of the state. Costs as much as that node has replicas.
#[must_use]
pub fn node_view(state: &State, node: NodeId) -> NodeView {
    let assignments = state
        .replicas_on(node)
        .map(|replica| Assignment {
            replica: replica.clone(),
            service_name: state
                .service(replica.service)
                .map(|s| s.name.clone())
                .unwrap_or_default(),
            deployment: state.deployment(replica.deployment).cloned(),
        })
        .collect();
    NodeView {
        revision: state.revision(),
        assignments,
    }
}
