//! What a cluster begins with that is made from the state of another one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::{
    Authority, Capacity, Cluster, ClusterId, Deployment, DeploymentStatus, Generation, KeyVersion, KeyringState, Node,
    NodeId, NodeStatus, Resource, Service, State, Timestamp,
};

/// What is new in a cluster that is made from the state of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refounding {
    /// Its id.
    pub cluster: ClusterId,
    /// Name of its only node, whose id is [`State::restored_node`].
    pub node_name: String,
    /// Signs the certificates of its nodes.
    pub authority: Authority,
    /// Which keys its nodes must hold.
    pub keyring: KeyringState,
    /// The time.
    pub now: Timestamp,
}

impl State {
    /// The cluster keys that the values of secrets are sealed under.
    #[must_use]
    pub fn key_versions(&self) -> BTreeSet<KeyVersion> {
        let all = self.values_sealed_before(KeyVersion(u32::MAX));
        all.map(|it| it.sealed.key).collect()
    }

    /// The id of the only node of a cluster that is made from this state: one that the old cluster never gave out, so
    /// that whatever is on record of its nodes is not taken for this one's.
    #[must_use]
    pub fn restored_node(&self) -> NodeId {
        let known = self.nodes().map(|it| NodeId(it.id.0 + 1)).max().unwrap_or(NodeId(1));
        self.cluster().map_or(NodeId(1), |it| it.next_node).max(known)
    }

    /// This state as a new cluster of one node begins with it, at the same revision. The old nodes are gone and so are
    /// the replicas on them: the scheduler places them anew. Join tokens led to the old cluster, and sessions may have
    /// been ended since: both are gone too.
    #[must_use]
    pub fn refounded(&self, new: &Refounding) -> Self {
        let revision = self.revision();
        let node = self.restored_node();
        let now = new.now.max(self.now());
        let kept = self.resources().filter_map(|it| match it {
            Resource::Cluster(_)
            | Resource::Node(_)
            | Resource::Replica(_)
            | Resource::JoinToken(_)
            | Resource::JoinTokenUses(_)
            | Resource::AuthorityRotation(_)
            | Resource::Session(_) => None,
            Resource::Deployment(it) => Some(resumed(Arc::unwrap_or_clone(it), now).into()),
            // Says what stood in the way on hosts that are gone.
            Resource::Service(it) => Some(Resource::from(Service {
                trouble: None,
                ..Arc::unwrap_or_clone(it)
            })),
            other => Some(other),
        });
        let cluster = Cluster {
            id: new.cluster,
            created_at: now,
            next_node: NodeId(node.0 + 1),
            authority: new.authority.clone(),
            keyring: new.keyring.clone(),
        };
        let own = [
            Resource::from(cluster),
            Resource::from(waiting(node, &new.node_name, now, revision)),
        ];
        Self::from_resources(revision, now, kept.chain(own))
    }
}

/// A rollout that was under way has as long as it had when it began.
fn resumed(it: Deployment, now: Timestamp) -> Deployment {
    if it.status != DeploymentStatus::Pending {
        return it;
    }
    let span = it.deadline.0.saturating_sub(it.deployed_at.0);
    let deadline = it.deadline.max(Timestamp(now.0.saturating_add(span)));
    Deployment { deadline, ..it }
}

/// A node that has not started yet: where it is and what it can give, it says itself.
fn waiting(id: NodeId, name: &str, now: Timestamp, revision: crate::Revision) -> Node {
    let nowhere = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Node {
        id,
        name: name.to_owned(),
        peer_addr: nowhere(7401),
        api_addr: nowhere(7400),
        http_addr: nowhere(8080),
        runs_agent: false,
        version: String::new(),
        boot: uuid::Uuid::nil(),
        status: NodeStatus::Down,
        lease: Generation(1),
        schedulable: true,
        draining: false,
        capacity: Capacity::default(),
        joined_at: now,
        changed_at: now,
        revision,
    }
}

#[cfg(test)]
mod tests;
