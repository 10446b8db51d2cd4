//! One stream over the logs of three hosts, through a rollout and the loss of a host.

use std::collections::BTreeSet;

use chaos::cluster::node_name;
use chaos::image::Variant;
use serde_json::Value;

use super::{HOSTNAME, goblins, printed, said, spawn, text};
use crate::common::{can_make_hosts, eventually};
use crate::fixture::Fixture;

/// The nodes whose replicas have printed something.
fn nodes(lines: &str) -> BTreeSet<String> {
    let objects = lines.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let names = objects.filter_map(|it| it["line"].as_str().and(it["node"].as_str()).map(str::to_owned));
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_all_hosts_come_from_any_node_through_a_rollout_and_the_loss_of_a_host() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(3).await;
    let (one, two) = (
        it.push("web", "1", &Variant::server("1")).await,
        it.push("web", "2", &Variant::server("2")).await,
    );
    let service = it.service(1, "web", &one, 3).await;
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 3).await;
    let all: BTreeSet<_> = (1..=3).map(node_name).collect();
    for host in 1..=3 {
        let lines = said(&goblins(&it, host, &["logs", "web", "--json"]));
        assert_eq!(nodes(&lines), all, "{lines}");
        assert_eq!(lines.matches("listening on 8080").count(), 3, "{lines}");
    }
    let last = said(&goblins(&it, 2, &["logs", "web", "--raw", "-n", "1"]));
    assert_eq!(last.lines().count(), 1, "{last}");

    // Whoever follows sees the new replicas of a rollout, and the last words of the old ones.
    let follower = spawn(&it, 2, "follower", &["logs", "web", "-f", "--json", "--tail", "0"]);
    let patch = serde_json::json!({ "image": two });
    it.api(1)
        .patch(&format!("/api/services/{service}/"), &patch)
        .await
        .unwrap();
    eventually("the follower sees all of the rollout", || {
        let lines = printed(&follower);
        lines.matches("listening on 8080").count() == 3 && lines.matches("drained").count() == 3
    });
    assert!(printed(&follower).contains("\"version\":2"), "{}", printed(&follower));
    it.wait_ready(1, &service, 3).await;
    // Those that are gone are shown too.
    let lines = said(&goblins(&it, 3, &["logs", "web", "--raw"]));
    assert_eq!(lines.matches("listening on 8080").count(), 6, "{lines}");
    assert_eq!(lines.matches("drained").count(), 3, "{lines}");

    // A host is lost: it is named, and the others go on.
    it.lab.crash(3).unwrap();
    let lost = node_name(3);
    eventually("the follower is told", || {
        printed(&follower).contains(&format!("node {lost} does not answer"))
    });
    let output = goblins(&it, 1, &["logs", "web", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let errors = text(&output.stderr);
    assert!(errors.contains(&format!("node {lost} does not answer")), "{errors}");
    assert!(nodes(&text(&output.stdout)).contains(&node_name(1)));

    // It comes back, and so do its lines.
    it.lab.boot(3).unwrap();
    it.cluster.launch(&it.lab, 3).unwrap();
    it.cluster.wait_ready(3).await.unwrap();
    eventually("the follower is told that", || {
        printed(&follower).contains(&format!("node {lost} answers again"))
    });
    eventually("all lines are there again", || {
        let output = goblins(&it, 1, &["logs", "web", "--json"]);
        output.status.code() == Some(0) && nodes(&text(&output.stdout)) == all
    });
}
