use model::{ContainerSpec, ServiceId, ServicePatch};
use proptest::prelude::*;

use super::*;
use crate::testing::{TestCluster, difference};

fn service(cluster: &mut TestCluster, n: u64) -> ServiceId {
    let resources = Resources {
        cpu_reservation: Millicores(n * 100),
        memory_reservation: ByteCount(n << 24),
        ..Resources::default()
    };
    let container = ContainerSpec {
        resources,
        ..ContainerSpec::default()
    };
    let name = format!("s{}", cluster.state.revision());
    cluster.service(&name, 3, container)
}

proptest! {
    /// Following changes gives what adding everything up gives.
    #[test]
    fn following_is_as_good_as_adding_up(steps in prop::collection::vec((0u8..8, 0u64..5), 1..30)) {
        let mut cluster = TestCluster::new(4);
        let mut loads = Loads::of(&cluster.state);
        for (what, n) in steps {
            let before = cluster.state.clone();
            let existing = before.services().nth(n as usize).map(|it| it.id);
            let node = NodeId(n % 4 + 1);
            match (what, existing) {
                (0, _) => drop(service(&mut cluster, n)),
                (1, Some(id)) => drop(cluster.plan(id)),
                (2, _) => cluster.hosts_obey(),
                (3, Some(id)) => drop(cluster.admin(model::Command::DeleteService(id))),
                (4, _) if before.node(node).is_some_and(Node::is_up) => cluster.down(node.0),
                (4, _) if before.node(node).is_some() => cluster.up(node.0),
                (5, Some(id)) => {
                    let image = Some(format!("web:{n}"));
                    cluster.patch(id, ServicePatch { image, ..ServicePatch::default() });
                }
                (6, _) if before.node(node).is_some() => {
                    let flip = before.node(node).is_some_and(|it| !it.schedulable);
                    cluster.patch_node(node, model::NodePatch { schedulable: Some(flip), ..model::NodePatch::default() });
                }
                (7, _) => drop(cluster.admin(model::Command::RemoveNode(node))),
                _ => {}
            }
            loads.follow(&before, &cluster.state, &difference(&before, &cluster.state));
            prop_assert_eq!(&loads, &Loads::of(&cluster.state));
        }
    }
}
