//! Secrets on real daemons: nowhere in the open, rotated under load, and behind a passphrase.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chaos::Client;
use chaos::image::Variant;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::common::{PATIENCE, can_make_hosts, eventually_some};
use crate::fixture::{Fixture, id, item, secret};

const HOSTNAME: &str = "vault.example.test";
const PASSPHRASE: &str = "quite-a-long-passphrase-7c1f";

/// A text that is nowhere by chance.
fn canary() -> String {
    let bytes: [u8; 24] = rand::random();
    format!("canary-{}", hex::encode(bytes))
}

/// What a canary looks like in the encodings that people and programs use.
fn forms(canary: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![canary.as_bytes().to_vec()];
    forms.push(hex::encode(canary).into_bytes());
    forms.push(hex::encode_upper(canary).into_bytes());
    // In the middle of something longer it can begin at any of three places; the ends depend on what is around it.
    for lead in 0..3 {
        let padded = [vec![b'x'; lead], canary.as_bytes().to_vec()].concat();
        let text = STANDARD.encode(padded);
        forms.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    forms
}

/// Looks through every byte of every file below a folder; answers how many files there were.
fn search(folder: &Path, forms: &[Vec<u8>], found: &mut Vec<String>) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            files += search(&entry.path(), forms, found);
        } else if kind.is_file() {
            files += 1;
            let mut bytes = Vec::new();
            let read = fs::File::open(entry.path()).and_then(|mut it| it.read_to_end(&mut bytes));
            // Files come and go below a running daemon.
            if read.is_ok() && holds(&bytes, forms) {
                found.push(entry.path().display().to_string());
            }
        }
    }
    files
}

/// Looks at each place where a form's first byte is: RocksDB's files are large and mostly empty.
fn holds(bytes: &[u8], forms: &[Vec<u8>]) -> bool {
    forms.iter().any(|form| {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|it| *it == form[0]) {
            rest = &rest[at..];
            if rest.starts_with(form) {
                return true;
            }
            rest = &rest[1..];
        }
        false
    })
}

async fn value(api: &Client, secret: &str, item: &str) -> String {
    let path = format!("/api/secrets/{secret}/items/{item}/");
    api.get(&path).await.unwrap()["value"].as_str().unwrap().to_owned()
}

/// Waits until every node's keyring is as asked.
async fn keyring(api: &Client, what: &str, good: impl Fn(&Value) -> bool) -> Value {
    eventually_some(what, async || {
        let shown = api.get("/api/keyring/").await.ok()?;
        good(&shown).then_some(shown)
    })
    .await
}

fn nodes(keyring: &Value) -> &[Value] {
    keyring["nodes"].as_array().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_secrets_are_nowhere_in_the_open() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::with_flags(3, &["--snapshot-entries", "100"]).await;
    // What nodes say to each other; the test itself, from this machine, asks them in the open.
    let wire = it.lab.state().join("wire.pcap");
    let capture = it
        .lab
        .capture(&wire, &format!("not host {}", it.lab.network().machine()))
        .unwrap();
    let api = it.api(1);
    let canaries: Vec<String> = (0..4).map(|_| canary()).collect();
    let set = secret(&api, "vault").await;
    let first = item(&api, &set, "DB_PASSWORD", &canaries[0]).await;
    let long = format!("{}{}", "filler ".repeat(2_000), canaries[1]);
    item(&it.api(2), &set, "CERTIFICATE", &long).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let wanted = json!({
        "name": "web", "image": image, "port": 8080, "replicas_target": 2, "secret": set,
    });
    let service = id(&api.post("/api/services/", &wanted).await.unwrap());
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 2).await;

    // The containers have it: as a variable, and as a file.
    let variables = eventually_some("a container has its secret", async || environment(&it, 1).await).await;
    assert!(variables.contains(&format!("DB_PASSWORD={}", canaries[0])));
    let host = (1..=3).find(|host| !it.container_pids(*host).is_empty()).unwrap();
    let pid = it.container_pids(host).into_iter().next().unwrap();
    let file = format!("/proc/{pid}/root/run/secrets/CERTIFICATE");
    let read = it.lab.exec(host, &["cat", &file], PATIENCE).unwrap();
    assert_eq!(String::from_utf8_lossy(&read.stdout), long);

    // A change, an attempt that is refused, reads on every node, a crash and a restart.
    let path = format!("/api/secrets/{set}/items/{first}/");
    api.patch(&path, &json!({ "value": canaries[2] })).await.unwrap();
    let refused = json!({ "key": "not a name", "value": canaries[3] });
    let items = format!("/api/secrets/{set}/items/");
    let answer = api
        .send(Method::POST, &items, &[], Some(&refused), PATIENCE)
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let forms: Vec<Vec<u8>> = canaries.iter().flat_map(|it| forms(it)).collect();
    assert!(!holds(answer.body.as_bytes(), &forms), "an error text quotes the value");
    for host in 1..=3 {
        assert_eq!(value(&it.api(host), &set, &first).await, canaries[2]);
    }
    eventually_some("the new value is rolled out", async || {
        environment(&it, 1).await.filter(|it| it.contains(&canaries[2]))
    })
    .await;
    it.wait_ready(1, &service, 2).await;
    // A snapshot on each node, and a node that gets one sent.
    snapshots(&it, &[1, 2, 3]).await;
    it.cluster.kill(2).unwrap();
    it.cluster.launch(&it.lab, 2).unwrap();
    it.cluster.wait_ready(2).await.unwrap();
    it.cluster.stop(3).unwrap();
    snapshots(&it, &[1, 2]).await;
    it.cluster.launch(&it.lab, 3).unwrap();
    it.cluster.wait_ready(3).await.unwrap();
    assert_eq!(value(&it.api(2), &set, &first).await, canaries[2]);
    assert_eq!(value(&it.api(3), &set, &first).await, canaries[2]);
    for host in 1..=3 {
        it.answers(host, HOSTNAME, 2).await;
    }
    let backups = crate::backup::both(&it, 2);
    let traffic = capture.finish().unwrap();
    assert!(traffic.len() > 500_000, "only {} bytes were captured", traffic.len());
    assert!(!holds(&traffic, &forms), "nodes tell each other a value in the open");

    for path in [
        "/api/secrets/",
        &items,
        "/api/services/",
        &format!("/api/services/{service}/deployments/"),
        &format!("/api/services/{service}/replicas/"),
        "/api/deployments/",
        "/api/events/",
        "/api/keyring/",
        "/api/cluster/",
        "/api/schema/",
        "/metrics",
    ] {
        let answer = api.send(Method::GET, path, &[], None, PATIENCE).await.unwrap();
        assert!(!holds(answer.body.as_bytes(), &forms), "{path} shows a value");
    }
    let mut found = Vec::new();
    let files = search(it.lab.state(), &forms, &mut found);
    assert!(files > 100, "only {files} files were searched");
    // Where they lie is searched too; that they are there at all is worth a look.
    for backup in &backups {
        let bytes = fs::read(backup).unwrap();
        assert!(bytes.len() > 10_000 && backup.starts_with(it.lab.state()));
        assert!(!holds(&bytes, &forms), "{} holds a value", backup.display());
    }
    assert!(found.is_empty(), "values lie open in {found:?}");
    // The search does find what is there.
    let planted = it.lab.disk(1).join("planted");
    fs::write(
        &planted,
        format!("...{}...", STANDARD.encode(format!("x={}", canaries[0]))),
    )
    .unwrap();
    search(it.lab.state(), &forms, &mut found);
    assert_eq!(found, [planted.display().to_string()]);
}

/// Makes changes until the nodes on these hosts have each taken a snapshot of them.
async fn snapshots(it: &Fixture, hosts: &[u8]) {
    let from = metric(it, hosts[0], "raft_applied_index").await;
    for n in 0.. {
        let mut newest = Vec::new();
        for host in hosts {
            newest.push(metric(it, *host, "raft_snapshot_index").await);
        }
        if newest.iter().all(|it| *it > from) {
            break;
        }
        assert!(n < 1_000, "no snapshot after {n} changes: {newest:?}, from {from}");
        let project = json!({ "name": format!("p{from}-{n}") });
        it.api(hosts[0]).post("/api/projects/", &project).await.unwrap();
    }
}

/// A number that a node measures.
async fn metric(it: &Fixture, host: u8, name: &str) -> u64 {
    let answer = it
        .api(host)
        .send(Method::GET, "/metrics", &[], None, PATIENCE)
        .await
        .unwrap();
    let name = format!("goblins_{name} ");
    let line = answer.body.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("no {name}in {}", answer.body))
        .parse()
        .unwrap()
}

/// The environment of a replica, as it says through the proxy of a host.
async fn environment(it: &Fixture, host: u8) -> Option<String> {
    let proxy = it.cluster.proxy(host).unwrap();
    let headers = [("Host", HOSTNAME)];
    let answer = proxy.send(Method::GET, "/env", &headers, None, PATIENCE).await.ok()?;
    answer.status.is_success().then_some(answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_load_and_a_crash_at_any_step_is_made_good() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(3).await;
    let api = it.api(1);
    let set = secret(&api, "many").await;
    let mut values = BTreeMap::new();
    for n in 0..50 {
        let text = canary();
        values.insert(item(&api, &set, &format!("KEY_{n}"), &text).await, text);
    }

    let stop = Arc::new(AtomicBool::new(false));
    let load = (1..=3).map(|host| tokio::spawn(work(it.api(host), set.clone(), host, Arc::clone(&stop))));
    let load: Vec<_> = load.collect();
    it.api(2).post("/api/keyring/rotate/", &json!({})).await.unwrap();
    // Another one cannot begin before this one is done.
    let again = it
        .api(3)
        .send(Method::POST, "/api/keyring/rotate/", &[], Some(&json!({})), PATIENCE)
        .await;
    assert_eq!(again.unwrap().status, StatusCode::CONFLICT);
    let only = |version: u64| {
        move |shown: &Value| {
            let has_it = |it: &Value| it["versions"] == json!([version]) && it["in_step"] == true;
            shown["rotating"] == false && shown["oldest"] == version && nodes(shown).iter().all(has_it)
        }
    };
    keyring(&api, "every node has the second key alone", only(2)).await;
    stop.store(true, Ordering::SeqCst);
    let mut requests = 0;
    for worker in load {
        requests += worker.await.unwrap();
    }
    assert!(requests > 100, "the load was {requests} requests");
    for (item, text) in &values {
        assert_eq!(value(&it.api(3), &set, item).await, *text);
    }

    // The node that was asked and the leader both crash right after; whoever leads next goes on.
    let leader = it.cluster.leader(1).await.unwrap().expect("a leader");
    it.api(leader).post("/api/keyring/rotate/", &json!({})).await.unwrap();
    it.cluster.kill(leader).unwrap();
    it.cluster.launch(&it.lab, leader).unwrap();
    it.cluster.wait_ready(leader).await.unwrap();
    let other = if leader == 1 { 2 } else { 1 };
    keyring(&it.api(other), "every node has the third key alone", only(3)).await;
    for (item, text) in &values {
        assert_eq!(value(&it.api(leader), &set, item).await, *text);
    }

    // A node that was off for all of a rotation takes it in when it comes back.
    it.cluster.kill(3).unwrap();
    it.api(1).post("/api/keyring/rotate/", &json!({})).await.unwrap();
    keyring(&it.api(1), "the rotation is done", |shown| shown["rotating"] == false).await;
    it.cluster.launch(&it.lab, 3).unwrap();
    it.cluster.wait_ready(3).await.unwrap();
    for (item, text) in values.iter().take(5) {
        assert_eq!(value(&it.api(3), &set, item).await, *text);
    }
    keyring(&it.api(3), "every node has the fourth key alone", only(4)).await;
}

/// Writes, changes and reads until it is told to stop; every request must succeed.
async fn work(api: Client, set: String, host: u8, stop: Arc<AtomicBool>) -> usize {
    let items = format!("/api/secrets/{set}/items/");
    let mut requests = 0;
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let (old, new) = (canary(), canary());
        let item = item(&api, &set, &format!("LOAD_{host}_{n}"), &old).await;
        assert_eq!(value(&api, &set, &item).await, old);
        let path = format!("{items}{item}/");
        api.patch(&path, &json!({ "value": new })).await.unwrap();
        assert_eq!(value(&api, &set, &item).await, new);
        api.delete(&path).await.unwrap();
        requests += 5;
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_passphrase_a_restarted_cluster_serves_and_waits_to_be_unlocked() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(3).await;
    let api = it.api(1);
    let set = secret(&api, "vault").await;
    let text = canary();
    let first = item(&api, &set, "PASSWORD", &text).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let wanted = json!({ "name": "web", "image": image, "port": 8080, "replicas_target": 1, "secret": set });
    let service = id(&api.post("/api/services/", &wanted).await.unwrap());
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 1).await;

    let short = send(&api, "lock", json!({ "passphrase": "short" })).await;
    assert_eq!(short.0, StatusCode::BAD_REQUEST);
    assert!(short.1["passphrase"].is_array(), "{}", short.1);
    let locked = send(&api, "lock", json!({ "passphrase": PASSPHRASE })).await;
    assert_eq!(locked.0, StatusCode::OK, "{}", locked.1);
    let all_under_it = |shown: &Value| {
        let under_it = |it: &Value| it["autolock"] == true && it["locked"] == false && it["in_step"] == true;
        shown["autolock"] == true && nodes(shown).iter().all(under_it)
    };
    keyring(&api, "every keyring is under the passphrase", all_under_it).await;
    assert_eq!(
        value(&it.api(2), &set, &first).await,
        text,
        "it stays open until a restart"
    );

    for host in 1..=3 {
        it.cluster.kill(host).unwrap();
    }
    for host in 1..=3 {
        it.cluster.launch(&it.lab, host).unwrap();
    }
    for host in 1..=3 {
        it.cluster.wait_ready(host).await.unwrap();
    }
    let path = format!("/api/secrets/{set}/items/{first}/");
    for host in 1..=3 {
        let refused = it
            .api(host)
            .send(Method::GET, &path, &[], None, PATIENCE)
            .await
            .unwrap();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
        assert_eq!(refused.json()["code"], "keyring_locked", "{}", refused.body);
        let items = format!("/api/secrets/{set}/items/");
        let body = json!({ "key": "NEW", "value": "new" });
        let refused = it
            .api(host)
            .send(Method::POST, &items, &[], Some(&body), PATIENCE)
            .await
            .unwrap();
        assert_eq!(refused.json()["code"], "keyring_locked", "{}", refused.body);
    }
    // Everything else goes on: writes, and traffic to the container that runs.
    api.post("/api/projects/", &json!({ "name": "meanwhile" }))
        .await
        .unwrap();
    for host in 1..=3 {
        it.answers(host, HOSTNAME, 1).await;
    }

    let wrong = send(&api, "unlock", json!({ "passphrase": "quite-another-passphrase" })).await;
    assert_eq!(wrong.0, StatusCode::BAD_REQUEST);
    assert!(wrong.1["passphrase"].is_array(), "{}", wrong.1);
    let too_soon = send(&api, "unlock", json!({ "passphrase": PASSPHRASE })).await;
    assert_eq!(too_soon.0, StatusCode::TOO_MANY_REQUESTS, "{}", too_soon.1);
    eventually_some("the first node is unlocked", async || {
        let answer = send(&api, "unlock", json!({ "passphrase": PASSPHRASE })).await;
        answer.0.is_success().then_some(())
    })
    .await;
    keyring(&api, "all nodes are unlocked from one", all_under_it).await;
    for host in 1..=3 {
        assert_eq!(value(&it.api(host), &set, &first).await, text);
    }

    // At once, and open again from another node.
    let now = send(&it.api(2), "lock", json!({ "now": true })).await;
    assert_eq!(now.0, StatusCode::OK, "{}", now.1);
    assert!(nodes(&now.1).iter().all(|it| it["locked"] == true), "{}", now.1);
    let opened = send(&it.api(3), "unlock", json!({ "passphrase": PASSPHRASE })).await;
    assert_eq!(opened.0, StatusCode::OK, "{}", opened.1);
    let removed = send(&it.api(1), "remove-lock", json!({ "passphrase": PASSPHRASE })).await;
    assert_eq!(removed.0, StatusCode::OK, "{}", removed.1);
    keyring(&api, "no node has a passphrase", |shown| {
        let open = |it: &Value| it["autolock"] == false && it["locked"] == false && it["in_step"] == true;
        shown["autolock"] == false && nodes(shown).iter().all(open)
    })
    .await;
    for host in 1..=3 {
        let log = fs::read_to_string(it.cluster.log(host)).unwrap();
        assert!(!log.contains(PASSPHRASE), "the passphrase is in the log of host {host}");
    }
}

/// Asks something of the keyring; gives the status and the body.
async fn send(api: &Client, what: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("/api/keyring/{what}/");
    let answer = api
        .send(Method::POST, &path, &[], Some(&body), Duration::from_secs(20))
        .await
        .unwrap();
    (answer.status, answer.json())
}
