//! Containers of a node that is no member any more: others run in their place, so they end, whichever way their host
//! comes back.

use chaos::cluster::node_name;
use chaos::image::Variant;
use reqwest::Method;
use serde_json::json;

use crate::common::{PATIENCE, can_make_hosts, data, eventually, eventually_some};
use crate::fixture::{Fixture, id, item, secret};

/// Three hosts with a service that has a secret, of which each runs one replica.
async fn cluster() -> (Fixture, String) {
    let it = Fixture::start(3).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let api = it.api(1);
    let secret = secret(&api, "vault").await;
    item(&api, &secret, "TOKEN", "x").await;
    let wanted = json!({"name": "web", "image": image, "port": 8080, "replicas_target": 3, "secret": secret});
    let service = id(&api.post("/api/services/", &wanted).await.unwrap());
    it.wait_ready(1, &service, 3).await;
    (it, service)
}

/// Kills the daemon of a host, whose containers go on, and takes its node out.
async fn lose(it: &Fixture, host: u8, service: &str) {
    assert_eq!(it.container_pids(host).len(), 1);
    it.cluster.kill(host).unwrap();
    let api = it.api(1);
    let nodes = api.get("/api/nodes/").await.unwrap();
    let mut nodes = nodes["results"].as_array().unwrap().iter();
    let node = nodes.find(|it| it["name"] == node_name(host).as_str()).unwrap();
    let path = format!("/api/nodes/{}/", node["id"]);
    // Refused until its replicas are replaced.
    eventually_some("the node is removed", async || {
        let answer = api.send(Method::DELETE, &path, &[], None, PATIENCE).await.ok()?;
        answer.status.is_success().then_some(())
    })
    .await;
    it.wait_ready(1, service, 3).await;
    assert_eq!(it.container_pids(host).len(), 1, "nobody has told it yet");
}

/// Folders for values of secrets on a host, one a node that it has been.
fn vaults(it: &Fixture, host: u8) -> usize {
    let listed = it.printed(host, &["ls", "/run/goblins"]);
    listed.lines().filter(|name| name.starts_with("secrets-")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_stops_what_it_ran_before_it_ends() {
    if !can_make_hosts() {
        return;
    }
    let (mut it, service) = cluster().await;
    lose(&it, 3, &service).await;
    it.cluster.launch(&it.lab, 3).unwrap();
    let ended = it.cluster.daemon(3).unwrap().wait(PATIENCE).expect("it ends");
    assert_eq!(ended.code(), Some(3), "what starts it is told not to do so again");
    let log = std::fs::read_to_string(it.cluster.log(3)).unwrap();
    for words in ["its containers are stopped", "this node was removed from the cluster"] {
        assert!(log.contains(words), "{log}");
    }
    assert!(it.container_pids(3).is_empty());
    let left = it.printed(3, &["pgrep", "-f", "containerd|goblins-logger"]);
    assert_eq!(left, "", "containerd and its shims are gone too");
    assert_eq!(it.printed(3, &["ls", "/run/netns"]), "");
    it.wait_ready(1, &service, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_joins_anew_runs_nothing_of_the_node_that_it_was() {
    if !can_make_hosts() {
        return;
    }
    let (mut it, service) = cluster().await;
    // What of the data folder is emptied: the node alone, or all of it.
    for (host, except) in [(2, "host"), (3, "nothing")] {
        lose(&it, host, &service).await;
        let old = it.container_pids(host);
        assert_eq!(vaults(&it, host), 1);
        let folder = data(&it.lab, host);
        let script = "cd \"$0\" && ls -A | grep -vx \"$1\" | xargs rm -r";
        it.printed(host, &["sh", "-c", script, &folder, except]);
        it.cluster.add(&it.lab, host).await.unwrap();
        eventually("the old containers are gone", || {
            it.container_pids(host).is_disjoint(&old)
        });
        it.wait_ready(1, &service, 3).await;
        eventually("it runs what it is to run, and nothing else", || {
            let shims = it.printed(host, &["pgrep", "-f", "containerd-shim"]).lines().count();
            let containerds = it.printed(host, &["pgrep", "-x", "containerd"]).lines().count();
            let count = it.container_pids(host).len();
            count == 1 && shims == count && containerds == 1
        });
        eventually("values of secrets are kept once", || vaults(&it, host) == 1);
    }
}
