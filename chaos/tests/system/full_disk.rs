//! The disk of the leader fills up: another leads, writes go on through every node, and the full one comes back by itself.

use std::time::Duration;

use chaos::harness::{Harness, Setup};
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{self, PATIENCE, can_make_hosts, eventually_some};

async fn create(harness: &Harness, host: u8, name: &str) -> Result<Value, String> {
    let api = harness.cluster().client(host).unwrap();
    let made = api.post("/api/projects/", &json!({ "name": name })).await;
    made.map_err(|it| it.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_disk_is_full_hands_over_and_writes_go_on() {
    if !can_make_hosts() {
        return;
    }
    common::install_crypto();
    let setup = Setup {
        hosts: 3,
        ..Setup::default()
    };
    let harness = Harness::up(setup).await.unwrap();
    eventually_some("three voters", async || {
        let shown = harness.cluster().client(1).unwrap().get("/api/cluster/").await.ok()?;
        (shown["voters"].as_array()?.len() == 3).then_some(())
    })
    .await;
    let full = harness.leader().await.unwrap();
    create(&harness, full, "before").await.unwrap();
    common::fill(harness.lab(), full, 4);

    let leader = eventually_some("another leader", async || {
        harness.leader().await.filter(|it| *it != full)
    })
    .await;
    assert_ne!(leader, full);
    // Also through the full one: what it hands on is stored elsewhere first.
    for host in harness.hosts() {
        for number in 0..20 {
            create(&harness, host, &format!("during-{host}-{number}"))
                .await
                .unwrap();
        }
    }
    assert_eq!(harness.cluster().daemon(full).unwrap().exited(), None, "it lives");
    assert_ne!(harness.leader().await, Some(full), "it is not to lead as it is");
    // Asked to lead, it is not the one that is chosen.
    let api = harness.cluster().client(leader).unwrap();
    let moved = api.post("/api/cluster/leader/", &json!({})).await.unwrap();
    assert_ne!(moved["leader"]["name"], json!(format!("node-{full}")), "{moved}");

    let removed = harness.lab().exec(
        full,
        &["rm", &format!("{}/filler", common::data(harness.lab(), full))],
        PATIENCE,
    );
    assert!(removed.unwrap().status.success());
    eventually_some("it may lead again", async || {
        let api = harness.cluster().client(full).unwrap();
        let nodes = api.get("/api/nodes/").await.ok()?;
        let nodes = nodes["results"].as_array()?.clone();
        let name = json!(format!("node-{full}"));
        let id = nodes.iter().find(|it| it["name"] == name)?["id"].clone();
        let path = "/api/cluster/leader/";
        let moved = api
            .send(
                Method::POST,
                path,
                &[],
                Some(&json!({ "to": id })),
                Duration::from_secs(5),
            )
            .await;
        let moved = moved.ok()?.json();
        (moved["leader"]["name"] == name).then_some(())
    })
    .await;
    create(&harness, full, "after").await.unwrap();
    for host in harness.hosts() {
        harness.cluster().wait_ready(host).await.unwrap();
    }
}
