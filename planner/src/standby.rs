//! Which images a host fetches beforehand, so that it can take over when another host is lost, with its registry or
//! without.

use std::collections::{BTreeMap, BTreeSet};

use model::{DeploymentId, DeploymentStatus, Intent, NodeId, Service, State};

use crate::Loads;
use crate::placement::obstacle;

/// So many hosts beside those that run a service have its image.
const STANDBYS: usize = 1;

/// The rollouts whose image `me` should have although it runs none of their replicas: the scheduler would place the next
/// one here. Sorted.
#[must_use]
pub fn standby(state: &State, me: NodeId) -> Vec<DeploymentId> {
    let loads = Loads::of(state);
    let wanted = state.services().filter_map(|it| for_service(state, &loads, it, me));
    wanted.collect::<BTreeSet<_>>().into_iter().collect()
}

fn for_service(state: &State, loads: &Loads, service: &Service, me: NodeId) -> Option<DeploymentId> {
    let settled = |it: &&model::Deployment| it.status == DeploymentStatus::Success;
    let deployment = state.deployment(service.deployment).filter(settled)?;
    // What a tag means on this host alone is of no use to anybody.
    state.image_pin(deployment.id)?;
    let mut peers = BTreeMap::<NodeId, u32>::new();
    let running = state.replicas_of(service.id).filter(|it| it.intent == Intent::Run);
    running.for_each(|it| *peers.entry(it.node).or_default() += 1);
    let rules = state.pinned_settings(deployment.id).placement;
    let has_room = |it: &NodeId| {
        let node = state.node(*it);
        node.is_some_and(|it| obstacle(it, loads, deployment, &rules).is_none())
    };
    let others = loads.by_room().filter(|it| !peers.contains_key(it));
    let mut next = others.filter(has_room).take(STANDBYS);
    next.any(|it| it == me).then_some(deployment.id)
}

#[cfg(test)]
mod tests {
    use model::{Command, ContainerSpec, PinSource, ServiceId};

    use super::*;
    use crate::testing::TestCluster;

    fn settled(cluster: &mut TestCluster, name: &str, replicas: u8) -> ServiceId {
        let id = cluster.service(name, replicas, ContainerSpec::default());
        let deployment = cluster.state.service(id).expect("there").deployment;
        let pin = Command::PinImage {
            deployment,
            digest: format!("sha256:{name}"),
            source: PinSource::Registry,
        };
        cluster.system(pin).expect("pinned");
        for _ in 0..10 {
            cluster.plan(id);
            cluster.hosts_obey();
        }
        id
    }

    /// The nodes that stand by for a service.
    fn for_whom(cluster: &TestCluster, id: ServiceId) -> Vec<u64> {
        let deployment = cluster.state.service(id).expect("there").deployment;
        let nodes = cluster.state.nodes().map(|it| it.id);
        let standing = nodes.filter(|it| standby(&cluster.state, *it).contains(&deployment));
        standing.map(|it| it.0).collect()
    }

    #[test]
    fn the_host_that_would_take_over_stands_by() {
        let mut cluster = TestCluster::new(4);
        let id = settled(&mut cluster, "web", 2);
        let on = cluster.serving(id);
        let before = for_whom(&cluster, id);
        assert!(
            before.len() == 1 && !on.contains(&before[0]),
            "{before:?} beside {on:?}"
        );
        // And it does take over.
        cluster.down(on[0]);
        for _ in 0..10 {
            cluster.plan(id);
            cluster.hosts_obey();
        }
        assert!(cluster.serving(id).contains(&before[0]));
        let after = for_whom(&cluster, id);
        assert_eq!(after.len(), 1);
        assert_ne!(after, before);
    }

    #[test]
    fn nobody_stands_by_where_nobody_is_left_or_nothing_is_known() {
        let mut cluster = TestCluster::new(2);
        let everywhere = settled(&mut cluster, "web", 2);
        assert!(for_whom(&cluster, everywhere).is_empty());
        let unpinned = cluster.service("other", 1, ContainerSpec::default());
        for _ in 0..10 {
            cluster.plan(unpinned);
            cluster.hosts_obey();
        }
        assert!(for_whom(&cluster, unpinned).is_empty());
    }
}
