//! A cluster of the release before is brought to this one, a node at a time, while clients go on writing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chaos::cluster::Options;
use chaos::{Client, Cluster, Lab, paths};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use crate::common::{self, PATIENCE, can_make_hosts, eventually_some};

const HOSTS: [u8; 3] = [1, 2, 3];
/// Longer than a node takes to stop, and longer than a leader takes to be elected.
const RETRIED_FOR: Duration = Duration::from_secs(20);

struct Upgrade {
    cluster: Cluster,
    lab: Lab,
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.cluster.tails(40));
        }
    }
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    slowest: Duration,
    retries: usize,
}

/// Writes without a pause, first to the node of `host`. It does what any client does: after a lost connection or a 503 it
/// asks the next node, under the same idempotency key. Anything else ends the test.
fn write(clients: Vec<Client>, host: u8, stop: Arc<AtomicBool>) -> JoinHandle<Seen> {
    tokio::spawn(async move {
        let mut seen = Seen::default();
        let mut at = usize::from(host) - 1;
        while !stop.load(Ordering::Relaxed) {
            let name = format!("h{host}-{}", seen.names.len());
            let key = Uuid::new_v4().to_string();
            let body = json!({ "name": name });
            let began = Instant::now();
            loop {
                let client = &clients[at % clients.len()];
                let headers = [("Idempotency-Key", key.as_str())];
                let limit = Duration::from_secs(5);
                match client
                    .send(Method::POST, "/api/projects/", &headers, Some(&body), limit)
                    .await
                {
                    Ok(answer) if answer.status.as_u16() == 201 => break,
                    Ok(answer) if answer.status.as_u16() != 503 => panic!("{name}: {answer:?}"),
                    unanswered => assert!(began.elapsed() < RETRIED_FOR, "{name}: {unanswered:?}"),
                }
                seen.retries += 1;
                at += 1;
                sleep(Duration::from_millis(20)).await;
            }
            seen.slowest = seen.slowest.max(began.elapsed());
            seen.names.push(name);
        }
        seen
    })
}

impl Upgrade {
    fn clients(&self) -> Vec<Client> {
        HOSTS.map(|host| self.cluster.client(host).unwrap()).to_vec()
    }

    async fn names(&self, host: u8) -> BTreeSet<String> {
        let client = self.cluster.client(host).unwrap();
        let mut names = BTreeSet::new();
        for page in 1.. {
            let shown = client.get(&format!("/api/projects/?page={page}")).await.unwrap();
            let results = shown["results"].as_array().unwrap().clone();
            names.extend(results.iter().filter_map(|it| it["name"].as_str().map(str::to_owned)));
            if shown["next"].is_null() {
                break;
            }
        }
        names
    }

    async fn post(&self, host: u8, path: &str, body: Value) -> (u16, Value) {
        let client = self.cluster.client(host).unwrap();
        let answer = client
            .send(Method::POST, path, &[], Some(&body), PATIENCE)
            .await
            .unwrap();
        (answer.status.as_u16(), answer.json())
    }

    /// Stops a node and starts it with another program on the same folder.
    async fn restart_with(&mut self, host: u8, other: Option<std::path::PathBuf>) {
        self.cluster.stop(host).unwrap();
        self.cluster.install(host, other);
        self.cluster.launch(&self.lab, host).unwrap();
    }

    async fn three_voters(&self) {
        let client = self.cluster.client(1).unwrap();
        eventually_some("three voters", async || {
            let shown = client.get("/api/cluster/").await.ok()?;
            (shown["voters"].as_array()?.len() == 3).then_some(())
        })
        .await;
    }
}

/// What makes a service, with a setting of its own or none.
fn service(name: &str, drain_seconds: Option<u64>) -> Value {
    let mut body = json!({"name": name, "image": "registry.example.test/hello:1", "port": 8080});
    if let Some(seconds) = drain_seconds {
        body["drain_seconds"] = json!(seconds);
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_upgraded_one_node_at_a_time_without_a_failed_write() {
    if !can_make_hosts() {
        return;
    }
    let previous = match paths::previous() {
        Ok(path) => path,
        Err(error) => panic!("{error}"),
    };
    common::install_crypto();
    let lab = Lab::up(3, None).unwrap();
    let options = Options {
        flags: vec![
            "--no-agent".to_owned(),
            "--snapshot-entries".to_owned(),
            "500".to_owned(),
        ],
        programs: HOSTS.map(|host| (host, previous.clone())).into(),
        ..Options::default()
    };
    let cluster = Cluster::start(&lab, options).await.unwrap();
    let mut it = Upgrade { cluster, lab };
    it.three_voters().await;

    let stop = Arc::<AtomicBool>::default();
    let writers: Vec<_> = HOSTS.map(|host| write(it.clients(), host, stop.clone())).into();
    for host in HOSTS {
        it.restart_with(host, None).await;
        it.cluster.wait_ready(host).await.unwrap();
        if host < 3 {
            // What the others do not know is not written, and it is said whose turn it is: neither a command nor a setting.
            for (path, body) in [
                ("/api/cluster/ca/rotate/", json!({})),
                ("/api/services/", service("with", Some(7))),
            ] {
                let (status, answer) = it.post(host, path, body).await;
                assert_eq!(status, 503, "{path}: {answer}");
                let detail = answer["detail"].as_str().unwrap_or_default();
                assert!(detail.contains("upgrade it first"), "{path}: {answer}");
            }
            let (status, answer) = it
                .post(host, "/api/services/", service(&format!("plain-{host}"), None))
                .await;
            assert_eq!(status, 201, "{answer}");
        }
    }
    // All of them are new: what was held back is done, as soon as the last has said which version it is.
    eventually_some("the new command is taken", async || {
        let (status, _) = it.post(3, "/api/cluster/ca/rotate/", json!({})).await;
        (status == 202).then_some(())
    })
    .await;
    let (status, answer) = it.post(1, "/api/services/", service("with", Some(7))).await;
    assert_eq!((status, &answer["drain_seconds"]), (201, &json!(7)), "{answer}");
    eventually_some("the rotation is done", async || {
        let shown = it.cluster.client(2).unwrap().get("/api/cluster/ca/").await.ok()?;
        (shown["rotating"] == false).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let mut written = BTreeSet::new();
    for writer in writers {
        let seen = writer.await.unwrap();
        println!(
            "{} writes, {} retries, the slowest took {:?}",
            seen.names.len(),
            seen.retries,
            seen.slowest
        );
        written.extend(seen.names);
    }
    for host in HOSTS {
        let there = it.names(host).await;
        let lost: Vec<_> = written.difference(&there).collect();
        assert!(lost.is_empty(), "host {host} lacks {lost:?}");
    }

    // Back to the release before: its data is newer by now. It ends by itself, and what it held is as it was.
    it.restart_with(3, Some(previous)).await;
    let ended = it.cluster.daemon(3).unwrap().wait(PATIENCE);
    assert!(
        ended.is_some_and(|it| !it.success()),
        "an old daemon must not run on newer data"
    );
    it.cluster.install(3, None);
    it.cluster.launch(&it.lab, 3).unwrap();
    it.cluster.wait_ready(3).await.unwrap();
    assert!(it.names(3).await.is_superset(&written));
}
