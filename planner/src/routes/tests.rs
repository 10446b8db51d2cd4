use model::{ContainerSpec, NodeId, ServicePatch};
use proptest::prelude::*;

use super::*;
use crate::testing::{TestCluster, difference};

fn cluster() -> (TestCluster, ServiceId) {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    cluster.route("Web.test", "/", id);
    cluster.plan(id);
    cluster.hosts_obey();
    cluster.plan(id);
    (cluster, id)
}

#[test]
fn a_table_names_local_replicas_by_address_and_others_by_their_proxy() {
    let (cluster, _) = cluster();
    let table = routes(&cluster.state, NodeId(2));
    let host = table.hosts.get("web.test").expect("in lower case");
    let targets: Vec<_> = host.paths[0].backends.iter().map(|it| (it.node.0, it.target)).collect();
    let local = cluster
        .state
        .replicas_on(NodeId(2))
        .next()
        .and_then(|it| it.address)
        .expect("ready");
    assert!(targets.contains(&(2, Target::Local(local))));
    assert!(targets.contains(&(1, Target::Remote(([10, 1, 0, 1], 80).into()))));
    assert_eq!(table.local.len(), 1);
}

#[test]
fn a_replica_on_a_lost_node_is_left_out() {
    let (mut cluster, _) = cluster();
    cluster.down(1);
    let table = routes(&cluster.state, NodeId(2));
    let backends = &table.hosts.get("web.test").expect("there").paths[0].backends;
    assert_eq!(backends.iter().map(|it| it.node.0).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn the_longest_prefix_on_a_segment_border_wins() {
    let (mut cluster, web) = cluster();
    let api = cluster.service("api", 1, ContainerSpec::default());
    cluster.route("web.test", "/api/", api);
    let table = routes(&cluster.state, NodeId(1));
    let host = table.hosts.get("web.test").expect("there");
    let leads_to = |path| host.find(path).map(|it| it.service);
    assert_eq!(leads_to("/api"), Some(api));
    assert_eq!(leads_to("/api/x"), Some(api));
    assert_eq!(leads_to("/apix"), Some(web));
    assert_eq!(leads_to("/"), Some(web));
}

proptest! {
    /// Following changes gives the table that reading the whole state gives.
    #[test]
    fn following_is_as_good_as_reading(steps in prop::collection::vec((0u8..8, 0usize..4), 1..30)) {
        let mut cluster = TestCluster::new(3);
        let me = NodeId(1);
        let mut table = routes(&cluster.state, me);
        for (what, n) in steps {
            let before = cluster.state.clone();
            let service = cluster.state.services().nth(n).map(|it| it.id);
            match (what, service) {
                (0, _) => {
                    let name = format!("s{}", cluster.state.revision());
                    cluster.service(&name, 2, ContainerSpec::default());
                }
                (1, Some(id)) => cluster.route(&format!("H{n}.test"), ["/", "/a", "/a/b/", "c"][n], id),
                (2, Some(id)) => drop(cluster.plan(id)),
                (3, _) => cluster.hosts_obey(),
                (4, Some(id)) => drop(cluster.admin(model::Command::DeleteService(id))),
                (5, _) => {
                    let node = cluster.state.node(NodeId(n as u64 % 3 + 1)).expect("there");
                    let (id, is_up) = (node.id.0, node.is_up());
                    if is_up { cluster.down(id) } else { cluster.up(id) }
                }
                (6, Some(id)) => {
                    let name = Some(format!("r{}", cluster.state.revision()));
                    cluster.patch(id, ServicePatch { name, ..ServicePatch::default() });
                }
                (7, _) => {
                    let route = cluster.state.routes().nth(n).map(|it| it.id);
                    if let Some(route) = route {
                        drop(cluster.admin(model::Command::DeleteRoute(route)));
                    }
                }
                _ => {}
            }
            // What the entries of this step changed, as the feed would tell it.
            let changes = difference(&before, &cluster.state);
            table = reroute(&table, &before, &cluster.state, me, &changes);
            prop_assert_eq!(&table, &routes(&cluster.state, me));
        }
    }
}
