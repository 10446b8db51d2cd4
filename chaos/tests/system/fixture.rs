//! A lab with a registry, images and a cluster, and the questions that tests ask of it.

use std::collections::BTreeSet;
use std::time::Duration;

use chaos::cluster::Options;
use chaos::image::Variant;
use chaos::{Client, Cluster, Image, Lab, Registry};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::common::{self, PATIENCE, data};

/// How often an answer is asked for again.
const POLL: Duration = Duration::from_millis(50);

/// Dropping it takes everything down.
pub struct Fixture {
    /// Before the lab, so that a failing test prints what the daemons said while their logs are there.
    pub cluster: Cluster,
    pub registry: Registry,
    pub lab: Lab,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.cluster.tails(40));
        }
    }
}

impl Fixture {
    /// A cluster of `hosts` nodes.
    pub async fn start(hosts: u8) -> Self {
        Self::with_flags(hosts, &[]).await
    }

    /// A cluster whose daemons get further flags.
    pub async fn with_flags(hosts: u8, flags: &[&str]) -> Self {
        Self::in_lab(Lab::up(hosts, None).expect("the lab comes up"), flags).await
    }

    /// A cluster whose daemons keep everything, images too, on a disk of so many MiB each.
    pub async fn on_small_disks(hosts: u8, mib: u32) -> Self {
        let lab = Lab::up(hosts, None).expect("the lab comes up");
        for host in 1..=hosts {
            let script = format!("mkdir -p \"$0\" && mount -t tmpfs -o size={mib}m tmpfs \"$0\"");
            let words = ["sh", "-c", &script, &data(&lab, host)];
            let mounted = lab.exec(host, &words, PATIENCE).unwrap();
            assert!(mounted.status.success(), "{mounted:?}");
        }
        Self::in_lab(lab, &[]).await
    }

    async fn in_lab(mut lab: Lab, flags: &[&str]) -> Self {
        common::install_crypto();
        let registry = Registry::start(&mut lab).await.expect("the registry starts");
        let options = Options {
            insecure_registries: vec![registry.address().to_owned(), Registry::private_address(&lab)],
            flags: flags.iter().map(|&it| it.to_owned()).collect(),
            ..Options::default()
        };
        let cluster = match Cluster::start(&lab, options).await {
            Ok(cluster) => cluster,
            Err(error) => panic!("the cluster did not start: {error}"),
        };
        Self { cluster, registry, lab }
    }

    /// Whether what has this digest is in the containerd of a host.
    pub fn holds(&self, host: u8, digest: &str) -> bool {
        let hex = digest.trim_start_matches("sha256:");
        let folder = data(&self.lab, host);
        let words = ["find", &folder, "-path", "*/blobs/sha256/*", "-name", hex];
        let found = self.lab.exec(host, &words, PATIENCE).unwrap();
        !found.stdout.is_empty()
    }

    pub fn api(&self, host: u8) -> Client {
        self.cluster.client(host).unwrap()
    }

    /// Pushes an image and gives its reference.
    pub async fn push(&self, name: &str, tag: &str, variant: &Variant) -> String {
        self.registry
            .push(name, tag, &Image::build(variant).unwrap())
            .await
            .unwrap()
    }

    /// Creates a service through the node on `host`; gives its id.
    pub async fn service(&self, host: u8, name: &str, image: &str, replicas: u8) -> String {
        let wanted = json!({"name": name, "image": image, "port": 8080, "replicas_target": replicas});
        id(&self.api(host).post("/api/services/", &wanted).await.unwrap())
    }

    /// Creates a domain and a route to the service, each through the given node.
    pub async fn route(&self, domain_by: u8, route_by: u8, hostname: &str, service: &str) {
        let domain = self
            .api(domain_by)
            .post("/api/domains/", &json!({"hostname": hostname}))
            .await
            .unwrap();
        let route = json!({"path": "/", "domain": id(&domain), "service": service});
        self.api(route_by).post("/api/routes/", &route).await.unwrap();
    }

    /// Waits until the service, as the node on `host` shows it, is as asked.
    pub async fn wait_service(&self, host: u8, service: &str, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let api = self.api(host);
        let end = Instant::now() + PATIENCE;
        loop {
            let shown = api.get(&format!("/api/services/{service}/")).await;
            if let Ok(shown) = &shown
                && good(shown)
            {
                return shown.clone();
            }
            assert!(
                Instant::now() < end,
                "not within {PATIENCE:?}: {what}; last seen: {shown:?}"
            );
            sleep(POLL).await;
        }
    }

    pub async fn wait_ready(&self, host: u8, service: &str, replicas: u64) {
        let good = |shown: &Value| shown["status"] == "ready" && shown["replicas_running"] == replicas;
        self.wait_service(host, service, "the service is ready", good).await;
    }

    /// Asks the proxy on `host` until `count` different replicas have answered; gives (replica, node) of each.
    pub async fn answers(&self, host: u8, hostname: &str, count: usize) -> BTreeSet<(String, String)> {
        let proxy = self.cluster.proxy(host).unwrap();
        let end = Instant::now() + PATIENCE;
        let mut seen = BTreeSet::new();
        let mut last = String::new();
        while seen.len() < count {
            let deadline = Duration::from_secs(5);
            match proxy
                .send(Method::GET, "/hello", &[("Host", hostname)], None, deadline)
                .await
            {
                Ok(answer) if answer.status.is_success() => {
                    let who = answer.json();
                    let text = |field: &str| who[field].as_str().unwrap_or_default().to_owned();
                    seen.insert((text("replica"), text("node")));
                }
                other => {
                    last = format!("{other:?}");
                    sleep(POLL).await;
                }
            }
            assert!(
                Instant::now() < end,
                "{count} replicas never answered through host {host}: {seen:?}, {last}"
            );
        }
        seen
    }

    /// The replicas of a service that are ready, as (id, node's name).
    pub async fn ready_replicas(&self, host: u8, service: &str) -> BTreeSet<(String, String)> {
        let Ok(list) = self.api(host).get(&format!("/api/services/{service}/replicas/")).await else {
            return BTreeSet::new();
        };
        let replicas = list["results"].as_array().cloned().unwrap_or_default();
        let ready = replicas.iter().filter(|replica| replica["state"] == "ready");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        ready
            .map(|replica| (text(&replica["id"]), text(&replica["node"]["name"])))
            .collect()
    }

    /// The processes of the test server on a host, by their numbers there.
    pub fn container_pids(&self, host: u8) -> BTreeSet<String> {
        let found = self.printed(host, &["pgrep", "-x", "testserver"]);
        found.lines().map(str::to_owned).collect()
    }

    /// What a program prints on a host, whatever its exit code.
    pub fn printed(&self, host: u8, words: &[&str]) -> String {
        let output = self.lab.exec(host, words, PATIENCE).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Creates a secret; gives its id.
pub async fn secret(api: &Client, name: &str) -> String {
    id(&api.post("/api/secrets/", &json!({ "name": name })).await.unwrap())
}

/// Creates an item of a secret; gives its id.
pub async fn item(api: &Client, secret: &str, key: &str, value: &str) -> String {
    let path = format!("/api/secrets/{secret}/items/");
    id(&api.post(&path, &json!({ "key": key, "value": value })).await.unwrap())
}

pub fn id(object: &Value) -> String {
    object["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id in {object}"))
        .to_owned()
}
