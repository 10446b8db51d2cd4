//! What one host has to know to do its work.

use std::sync::Arc;

use crate::{Deployment, NodeId, Replica, Revision, SecretValue, Settings, State};

/// A replica that a host should run or stop, with all that is needed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The replica as the cluster knows it.
    pub replica: Replica,
    /// Name of its service, for people.
    pub service_name: String,
    /// What it runs; `None` once the service was deleted and it is only to be stopped.
    pub deployment: Option<Deployment>,
    /// What it runs with beyond that deployment's spec.
    pub settings: Settings,
    /// The values that the deployment is pinned to, sealed, in the order of its pins.
    pub secrets: Vec<Arc<SecretValue>>,
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
        .map(|replica| assignment(state, replica))
        .collect();
    NodeView {
        revision: state.revision(),
        assignments,
    }
}

fn assignment(state: &State, replica: &Replica) -> Assignment {
    let deployment = state.deployment(replica.deployment).cloned();
    let pins = deployment.iter().flat_map(|it| &it.secrets);
    let secrets = pins.filter_map(|pin| state.shared_secret_value(pin.value())).collect();
    Assignment {
        replica: replica.clone(),
        service_name: state
            .service(replica.service)
            .map(|s| s.name.clone())
            .unwrap_or_default(),
        settings: state.pinned_settings(replica.deployment),
        deployment,
        secrets,
    }
}
