//! How much of each node is taken.

use std::collections::BTreeMap;

use model::{ByteCount, Deployment, Millicores, NodeId, Resources, State};

/// What the replicas of one node take of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) cpu: Millicores,
    pub(crate) memory: ByteCount,
    pub(crate) replicas: u32,
}

/// What is taken of each node. Walks all replicas once; a round of planning makes it at most once, keeps it up to date
/// with its own placements, and makes it only if something has to be placed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loads(BTreeMap<NodeId, Load>);

impl Loads {
    /// Adds up what all replicas of the state take. One that is to be stopped still holds its place until it has.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let mut loads = Self::default();
        for replica in state.replicas() {
            let resources = state
                .deployment(replica.deployment)
                .map(|it| it.spec.container.resources);
            loads.take(replica.node, resources.unwrap_or_default());
        }
        loads
    }

    fn take(&mut self, node: NodeId, resources: Resources) {
        let load = self.0.entry(node).or_default();
        load.cpu.0 += resources.cpu_reservation.0;
        load.memory.0 += resources.memory_reservation.0;
        load.replicas += 1;
    }

    /// Notes that a replica of `deployment` was placed on `node`.
    pub fn place(&mut self, node: NodeId, deployment: &Deployment) {
        self.take(node, deployment.spec.container.resources);
    }

    pub(crate) fn get(&self, node: NodeId) -> Option<&Load> {
        self.0.get(&node)
    }
}
