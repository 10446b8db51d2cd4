//! Deployments by the command line, and how it ends.

use chaos::image::Variant;

use super::{goblins, said, text};
use crate::common::can_make_hosts;
use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn deployments_are_waited_for_and_the_exit_code_says_how_they_ended() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(2).await;
    let good = it.push("web", "1", &Variant::server("1")).await;
    let better = it.push("web", "2", &Variant::server("2")).await;
    let bad = it.push("web", "bad", &Variant::exits_at_once(3)).await;

    let new = [
        "deploy",
        "web",
        "--create",
        "--image",
        &good,
        "--port",
        "8080",
        "--replicas",
        "2",
    ];
    let told = said(&goblins(&it, 1, &new));
    assert!(
        told.contains("web version 1 is deployed: 2 of 2 replicas are ready"),
        "{told}"
    );
    let told = said(&goblins(
        &it,
        2,
        &["deploy", "web", "--image", &better, "--env", "LEVEL=debug"],
    ));
    assert!(told.contains("web version 2 is deployed"), "{told}");

    // One that fails: the reason is told, and what ran goes on.
    let failed = goblins(&it, 1, &["deploy", "web", "--image", &bad]);
    let errors = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("web version 3 has failed") && errors.contains("code 3"),
        "{errors}"
    );
    let logs = said(&goblins(&it, 2, &["logs", "web", "--raw"]));
    assert!(logs.contains("told to end at once with code 3"), "{logs}");
    let ps = said(&goblins(&it, 2, &["ps", "web"]));
    assert_eq!(
        ps.lines()
            .filter(|it| it.contains("  ready  ") && it.contains("web"))
            .count(),
        2,
        "{ps}"
    );

    // One that takes longer than anybody waits.
    let slow = [
        "deploy",
        "web",
        "--image",
        &good,
        "--env",
        "START_MS=8000",
        "--timeout",
        "2s",
    ];
    let slow = goblins(&it, 1, &slow);
    assert_eq!(slow.status.code(), Some(2), "{}", text(&slow.stderr));
    assert!(
        text(&slow.stderr).contains("gave up waiting for web version 4"),
        "{}",
        text(&slow.stderr)
    );

    let told = said(&goblins(&it, 1, &["rollback", "web", "--to", "2"]));
    assert!(told.contains("web version 5 is deployed"), "{told}");
    let history = said(&goblins(&it, 2, &["history", "web"]));
    let row = |begin: &str| history.lines().find(|it| it.starts_with(begin)).unwrap_or_default();
    assert!(row("5 *").contains("back to version 2"), "{history}");
    assert!(
        row("3 ").contains("failed") && row("3 ").contains("code 3"),
        "{history}"
    );
    let pinned = said(&goblins(&it, 1, &["history", "web", "--show", "2"]));
    let pinned = serde_json::from_str::<serde_json::Value>(&pinned).unwrap();
    assert_eq!(pinned["pinned"]["env"]["LEVEL"], "debug", "{pinned}");
    let unknown = goblins(&it, 1, &["history", "web", "--show", "99"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown.stderr).contains("there is no version 99; there are: 5, 4, 3, 2, 1"),
        "{}",
        text(&unknown.stderr)
    );
    let told = said(&goblins(&it, 2, &["scale", "web=3"]));
    assert!(told.contains("web version 6 is deployed: 3 of 3"), "{told}");
    let list = said(&goblins(&it, 1, &["service", "list"]));
    assert!(list.contains("3/3"), "{list}");
    let id = said(&goblins(&it, 1, &["service", "list", "--json"]));
    let id = serde_json::from_str::<serde_json::Value>(&id).unwrap()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = it.ready_replicas(1, &id).await;
    let told = said(&goblins(&it, 2, &["restart", "web", "--quiet"]));
    assert_eq!(told, "", "nothing but what went wrong");
    let after = it.ready_replicas(1, &id).await;
    assert_eq!(after.len(), 3);
    assert!(
        before.is_disjoint(&after),
        "every replica is a new one: {before:?} {after:?}"
    );

    // More than there is room for is explained.
    let explained = said(&goblins(&it, 1, &["explain", "web"]));
    assert!(
        explained.contains("3 of 3 replicas are ready") && explained.contains("is the best place"),
        "{explained}"
    );
    let nodes = said(&goblins(&it, 1, &["node", "list", "--json"]));
    let nodes: serde_json::Value = serde_json::from_str(&nodes).unwrap();
    for node in nodes.as_array().unwrap() {
        said(&goblins(&it, 1, &["node", "cordon", &node["id"].to_string()]));
    }
    let stuck = goblins(&it, 2, &["scale", "web=4", "--timeout", "2s"]);
    assert_eq!(stuck.status.code(), Some(2), "{}", text(&stuck.stderr));
    let explained = said(&goblins(&it, 2, &["explain", "web"]));
    assert!(
        explained.contains("1 have no place") && explained.contains("`goblins node uncordon "),
        "{explained}"
    );
    let nobody = goblins(&it, 1, &["deploy", "nothing", "--image", &good]);
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody.stderr));
}
