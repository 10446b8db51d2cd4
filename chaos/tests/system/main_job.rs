//! The main job: replicas behind a route, through any node, while hosts and daemons die.

use chaos::cluster::node_name;
use chaos::image::Variant;
use serde_json::json;

use crate::common::{can_make_hosts, eventually_some};
use crate::fixture::Fixture;

const HOSTNAME: &str = "web.example.test";

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_answer_through_any_node_and_survive_the_loss_of_the_leaders_host() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(3).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let service = it.service(1, "web", &image, 3).await;
    it.route(2, 3, HOSTNAME, &service).await;
    it.wait_ready(2, &service, 3).await;
    for host in 1..=3 {
        let nodes = it.answers(host, HOSTNAME, 3).await.into_iter().map(|(_, node)| node);
        assert_eq!(nodes.collect::<Vec<_>>().len(), 3, "answers through host {host}");
    }

    let leader = it.cluster.leader(1).await.unwrap().expect("a leader");
    it.lab.crash(leader).unwrap();
    let left: Vec<u8> = (1..=3).filter(|host| *host != leader).collect();
    let lost = node_name(leader);

    eventually_some("a write is accepted", async || {
        it.api(left[0])
            .post("/api/projects/", &json!({"name": "after the loss"}))
            .await
            .ok()
    })
    .await;
    eventually_some("three replicas run on the hosts that are left", async || {
        let ready = it.ready_replicas(left[1], &service).await;
        (ready.len() == 3 && ready.iter().all(|(_, node)| *node != lost)).then_some(())
    })
    .await;
    for host in &left {
        let answered = it.answers(*host, HOSTNAME, 3).await;
        assert!(answered.iter().all(|(_, node)| *node != lost), "{answered:?}");
    }

    // The host comes back with its disk: the node takes part again, and keeps none of the replicas it lost.
    it.lab.boot(leader).unwrap();
    it.cluster.launch(&it.lab, leader).unwrap();
    it.cluster.wait_ready(leader).await.unwrap();
    assert_eq!(it.answers(leader, HOSTNAME, 3).await.len(), 3);
    it.wait_ready(leader, &service, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stops_or_is_killed_leaves_its_containers_and_adopts_them_again() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(1).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let service = it.service(1, "web", &image, 2).await;
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 2).await;
    let pids = it.container_pids(1);
    assert_eq!(pids.len(), 2);
    let replicas = it.ready_replicas(1, &service).await;

    for kill in [false, true] {
        if kill {
            it.cluster.kill(1).unwrap();
        } else {
            it.cluster.stop(1).unwrap();
        }
        assert_eq!(
            it.container_pids(1),
            pids,
            "containers while the daemon is gone (killed: {kill})"
        );
        it.cluster.launch(&it.lab, 1).unwrap();
        it.cluster.wait_ready(1).await.unwrap();
        it.wait_ready(1, &service, 2).await;
        assert_eq!(it.answers(1, HOSTNAME, 2).await.len(), 2);
        assert_eq!(
            it.ready_replicas(1, &service).await,
            replicas,
            "the same replicas (killed: {kill})"
        );
        assert_eq!(it.container_pids(1), pids, "the same containers (killed: {kill})");
    }
}
