use expect_test::{Expect, expect};
use model::{Command, ContainerSpec, NodeId, NodePatch, Resources};

use super::*;
use crate::testing::TestCluster;

/// An explanation as people read it.
fn told(cluster: &TestCluster, id: ServiceId) -> String {
    let it = explain(&cluster.state, id, cluster.now).expect("there");
    let name = |node: NodeId| {
        cluster
            .state
            .node(node)
            .map_or_else(|| node.to_string(), |it| it.name.clone())
    };
    let mut text = format!("{} of {} ready, {} missing\n", it.ready, it.wanted, it.missing);
    for replica in &it.replicas {
        text.push_str(&format!(
            "  v{} on {}: {}\n",
            replica.version,
            name(replica.node),
            replica.why
        ));
    }
    for node in &it.nodes {
        text.push_str(&format!("  {} {}\n", node.name, node.why));
    }
    for remedy in &it.remedies {
        text.push_str(&format!("  => {} ({})\n", remedy.change, remedy.places));
    }
    text
}

fn check(cluster: &TestCluster, id: ServiceId, expected: &Expect) {
    expected.assert_eq(&told(cluster, id));
}

fn reserving(memory_mib: u64, cpu: u64) -> ContainerSpec {
    ContainerSpec {
        resources: Resources {
            memory_reservation: ByteCount(memory_mib << 20),
            cpu_reservation: Millicores(cpu),
            ..Resources::default()
        },
        ..ContainerSpec::default()
    }
}

fn settle(cluster: &mut TestCluster, id: ServiceId) {
    for _ in 0..5 {
        cluster.plan(id);
        cluster.hosts_obey();
    }
}

fn patch(cluster: &mut TestCluster, node: u64, schedulable: Option<bool>, draining: Option<bool>) {
    let patch = NodePatch { schedulable, draining };
    cluster
        .admin(Command::UpdateNode(NodeId(node), patch))
        .expect("an admin may");
}

#[test]
fn replicas_are_spread_and_say_so() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 2, reserving(1024, 500));
    settle(&mut cluster, id);
    check(
        &cluster,
        id,
        &expect![[r#"
        2 of 2 ready, 0 missing
          v1 on n2: ready for 0 s; node n2 is the best place for it: no other replica of this service is there, 4 GiB of 4 GiB memory and 4 of 4 cores are free
          v1 on n1: ready for 0 s; node n1 is the best place for it: no other replica of this service is there, 4 GiB of 4 GiB memory and 4 of 4 cores are free
          n3 can take one: 0 replicas of this service there, 4 GiB of 4 GiB memory and 4 of 4 cores are free
          n1 can take one: 1 replica of this service there, 3 GiB of 4 GiB memory and 3.5 of 4 cores are free
          n2 can take one: 1 replica of this service there, 3 GiB of 4 GiB memory and 3.5 of 4 cores are free
    "#]],
    );
}

#[test]
fn without_room_every_node_says_what_is_missing_and_a_smaller_reservation_is_found() {
    let mut cluster = TestCluster::new(2);
    let filler = cluster.service("filler", 2, reserving(3072, 0));
    settle(&mut cluster, filler);
    let id = cluster.service("web", 1, reserving(2048, 0));
    settle(&mut cluster, id);
    check(
        &cluster,
        id,
        &expect![[r#"
        0 of 1 ready, 1 missing
          n1 has too little memory free: 1 GiB of 4 GiB are, and a replica reserves 2 GiB
          n2 has too little memory free: 1 GiB of 4 GiB are, and a replica reserves 2 GiB
          => lower the reservations to 1 GiB of memory, and it fits on node n1 (1)
          => add a node with 2 GiB of memory free (1)
    "#]],
    );
}

#[test]
fn a_node_that_is_kept_free_or_off_is_the_first_remedy() {
    let mut cluster = TestCluster::new(4);
    patch(&mut cluster, 1, Some(false), None);
    patch(&mut cluster, 2, None, Some(true));
    cluster.down(3);
    let id = cluster.service("web", 2, reserving(3000, 0));
    settle(&mut cluster, id);
    check(
        &cluster,
        id,
        &expect![[r#"
        1 of 2 ready, 1 missing
          v1 on n4: ready for 0 s; node n4 is the best place for it: no other replica of this service is there, 4 GiB of 4 GiB memory and 4 of 4 cores are free
          n1 takes no new replicas (schedulable is false)
          n2 is being drained (draining is true)
          n3 is down
          n4 has too little memory free: 1096 MiB of 4 GiB are, and a replica reserves 3000 MiB
          => uncordon node n1 (1)
          => end the drain of node n2 (1)
          => start node n3 again (1)
          => lower the reservations to 1096 MiB of memory, and it fits on node n4 (1)
          => add a node with 3000 MiB of memory free (1)
    "#]],
    );
}

#[test]
fn without_nodes_one_is_to_be_added() {
    let mut cluster = TestCluster::new(0);
    let id = cluster.service("web", 1, reserving(512, 250));
    settle(&mut cluster, id);
    check(
        &cluster,
        id,
        &expect![[r#"
        0 of 1 ready, 1 missing
          => add a node with 512 MiB of memory and 0.25 cores free (1)
    "#]],
    );
}

#[test]
fn replicas_of_lost_and_drained_nodes_say_what_becomes_of_them() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 2, reserving(2500, 0));
    settle(&mut cluster, id);
    cluster.down(1);
    patch(&mut cluster, 2, None, Some(true));
    cluster.plan(id);
    check(
        &cluster,
        id,
        &expect![[r#"
        1 of 2 ready, 2 missing
          v1 on n2: ready for 0 s; node n2 is being drained; it stays until another serves in its place
          v1 on n1: ready for 0 s; node n1 is down; it is given up when another takes its place, and goes on if the node comes back first
          n1 is down
          n2 is being drained (draining is true)
          => start node n1 again (1)
          => end the drain of node n2 (1)
          => add a node with 2500 MiB of memory free (1)
    "#]],
    );
}

#[test]
fn there_is_nothing_to_say_of_a_service_that_is_not_there() {
    let cluster = TestCluster::new(1);
    assert_eq!(explain(&cluster.state, ServiceId(uuid::Uuid::nil()), cluster.now), None);
}
