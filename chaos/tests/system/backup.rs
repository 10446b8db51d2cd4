//! Backups of real daemons: taken from a follower while writes go on, restored on another host, and refused when they
//! are not what they should be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chaos::image::Variant;
use chaos::lab::Program;
use chaos::{Client, paths};
use serde_json::{Value, json};

use crate::common::{PATIENCE, can_make_hosts, eventually_some};
use crate::fixture::{Fixture, id, item, secret};

const HOSTNAME: &str = "kept.example.test";
const VALUE: &str = "correct-horse-battery-staple-4711";
const PASSPHRASE: &str = "quite-a-long-passphrase-9d2e";
/// The host that is restored on.
const HEIR: u8 = 4;

/// Runs the program on a host.
fn goblins(it: &Fixture, host: u8, words: &[&str]) -> Output {
    let program = paths::goblins().unwrap().display().to_string();
    let words: Vec<&str> = std::iter::once(program.as_str()).chain(words.iter().copied()).collect();
    it.lab.exec(host, &words, PATIENCE).unwrap()
}

/// What it printed; it must have succeeded.
fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Why it failed; it must have.
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "it should have been refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `goblins backup` on a host, of its own node.
fn take(it: &Fixture, host: u8, out: &Path, more: &[&str]) -> Output {
    let url = it.cluster.url(host, 7400).unwrap();
    let words = ["backup", "--api", &url, "--key", it.cluster.key(), "--out", text(out)];
    goblins(it, host, &[&words, more].concat())
}

fn passphrase_file(it: &Fixture) -> PathBuf {
    let path = it.lab.state().join("passphrase");
    fs::write(&path, format!("{PASSPHRASE}\n")).unwrap();
    path
}

/// A backup without the keys, and one with them.
pub fn both(it: &Fixture, host: u8) -> [PathBuf; 2] {
    let paths = ["plain.backup", "keys.backup"].map(|name| it.lab.state().join(name));
    said(&take(it, host, &paths[0], &[]));
    let file = passphrase_file(it);
    let with = ["--with-keyring", "--passphrase-file", text(&file)];
    said(&take(it, host, &paths[1], &with));
    paths
}

fn restore(it: &Fixture, file: &Path, folder: &Path, more: &[&str]) -> Output {
    let words = ["restore", text(file), "--data-dir", text(folder), "--node-name", "heir"];
    goblins(it, HEIR, &[&words, more].concat())
}

/// Everything that people have made, by the lists that show it.
async fn view(api: &Client, service: &str, secret: &str) -> Vec<(String, Value)> {
    let mut shown = Vec::new();
    // Each project that the load makes brings a config and a secret of its own.
    let web = api.get(&format!("/api/services/{service}/")).await.unwrap();
    let project = web["project"].as_str().unwrap();
    for path in [
        "/api/users/".to_owned(),
        "/api/api-keys/".to_owned(),
        "/api/services/".to_owned(),
        format!("/api/services/{service}/deployments/"),
        "/api/domains/".to_owned(),
        "/api/routes/".to_owned(),
        format!("/api/configs/?ordering=created_at&project={project}"),
        format!("/api/secrets/?ordering=created_at&project={project}"),
        format!("/api/secrets/{secret}/items/"),
    ] {
        let mut list = api.get(&path).await.unwrap()["results"].take();
        for object in list.as_array_mut().unwrap() {
            // Noted now and then, not with each use.
            object.as_object_mut().unwrap().remove("last_used_at");
            // A route is ready when all proxies have it; that is waited for elsewhere.
            if path.contains("routes") {
                object.as_object_mut().unwrap().remove("status");
            }
        }
        shown.push((path, list));
    }
    shown
}

async fn projects(api: &Client) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for page in 1.. {
        let list = api.get(&format!("/api/projects/?page={page}")).await.unwrap();
        let results = list["results"].as_array().unwrap();
        names.extend(results.iter().map(|it| it["name"].as_str().unwrap().to_owned()));
        if list["next"].is_null() {
            break;
        }
    }
    names
}

/// Makes projects until it is told to stop; answers those that were acknowledged.
async fn work(api: Client, host: u8, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut made = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("load-{host}-{n}");
        api.post("/api/projects/", &json!({ "name": name })).await.unwrap();
        made.push(name);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    made
}

/// Starts the restored node.
async fn start(it: &mut Fixture, folder: &Path) -> Client {
    let address = it.lab.address(HEIR);
    let log = it.lab.state().join("heir.log");
    let mut program = Program::new(paths::goblins().unwrap(), log).args(["server", "--data-dir", text(folder)]);
    program = program.args(["--node-name", "heir", "--api-rate-limit", "off"]);
    program = program.args(["--insecure-registry", it.registry.address()]);
    for (flag, port) in [("--api-addr", 7400), ("--peer-addr", 7401), ("--http-addr", 8080)] {
        program = program.args([flag, &format!("{address}:{port}")]);
    }
    it.lab.spawn(HEIR, &program).unwrap();
    let api = Client::new(format!("http://{address}:7400"), Some(it.cluster.key())).unwrap();
    eventually_some("the restored node is ready", async || api.get("/readyz").await.ok()).await;
    api
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_a_follower_under_load_is_restored_on_another_host() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(3).await;
    let api = it.api(1);
    let set = secret(&api, "vault").await;
    let items = format!("/api/secrets/{set}/items/");
    let item = item(&api, &set, "PASSWORD", VALUE).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let wanted = json!({ "name": "web", "image": image, "port": 8080, "replicas_target": 2, "secret": set });
    let service = id(&api.post("/api/services/", &wanted).await.unwrap());
    it.route(1, 2, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 2).await;
    let old = view(&api, &service, &set).await;

    // From a follower, while all nodes take writes.
    let leader = it.cluster.leader(1).await.unwrap().expect("a leader");
    let follower = (1..=3).find(|host| *host != leader).unwrap();
    let early = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (1..=3)
        .map(|host| tokio::spawn(work(it.api(host), host, Arc::clone(&early))))
        .collect();
    eventually_some("there are writes", async || {
        (projects(&it.api(2)).await.len() > 30).then_some(())
    })
    .await;
    let before = projects(&it.api(follower)).await;
    let file = it.lab.state().join("load.backup");
    let summary = tokio::task::block_in_place(|| said(&take(&it, follower, &file, &[])));
    let after = projects(&it.api(leader)).await;
    assert!(
        summary.contains("objects") && summary.contains("NOT in it"),
        "{summary}"
    );
    early.store(true, Ordering::SeqCst);
    for worker in load {
        worker.await.unwrap();
    }
    let again = refused(&take(&it, follower, &file, &[]));
    assert!(again.contains("--force"), "{again}");
    let checked = said(&goblins(&it, follower, &["backup", "--check", text(&file)]));
    assert!(
        checked.contains("is whole") && checked.contains("keys in use   1"),
        "{checked}"
    );
    let [_, with_keys] = both(&it, follower);

    // The old keys are given up; a copy of them was kept.
    let kept = it.lab.state().join("kept-keyring");
    fs::copy(it.lab.disk(1).join("data/keyring"), &kept).unwrap();
    api.post("/api/keyring/rotate/", &json!({})).await.unwrap();
    eventually_some("the rotation is done", async || {
        let shown = api.get("/api/keyring/").await.ok()?;
        (shown["rotating"] == false && shown["oldest"] == 2).then_some(())
    })
    .await;

    it.lab.boot(HEIR).unwrap();
    let folder = it.lab.disk(HEIR).join("data");
    wrong_ones(&it, &file, &folder, &kept);
    let restored = said(&restore(&it, &file, &folder, &["--keyring", text(&kept)]));
    assert!(restored.contains("API keys"), "{restored}");
    let twice = refused(&restore(&it, &file, &folder, &["--keyring", text(&kept)]));
    assert!(twice.contains("is not empty"), "{twice}");

    // The old cluster still runs, and does not notice.
    let heir = start(&mut it, &folder).await;
    let nodes = heir.get("/api/nodes/").await.unwrap();
    assert_eq!(
        (&nodes["count"], &nodes["results"][0]["name"]),
        (&json!(1), &json!("heir"))
    );
    let ids = [&api, &heir].map(|it| it.get("/api/cluster/"));
    let [theirs, ours] = futures::future::join_all(ids).await.try_into().unwrap();
    assert_ne!(theirs.unwrap()["id"], ours.unwrap()["id"]);
    eventually_some("the service runs on the new host", async || {
        let shown = heir.get(&format!("/api/services/{service}/")).await.ok()?;
        (shown["status"] == "ready" && shown["replicas_running"] == 2).then_some(())
    })
    .await;
    for ((path, shown), (_, before)) in view(&heir, &service, &set).await.iter().zip(&old) {
        assert_eq!(shown, before, "{path}");
    }
    let there = projects(&heir).await;
    assert!(before.is_subset(&there), "{:?} are missing", before.difference(&there));
    assert!(there.is_subset(&after), "{:?} are too many", there.difference(&after));
    let shown = heir.get(&format!("{items}{item}/")).await.unwrap();
    assert_eq!(shown["value"], VALUE);
    let proxy = Client::new(format!("http://{}:8080", it.lab.address(HEIR)), None).unwrap();
    let environment = eventually_some("its containers answer", async || {
        let asked = proxy
            .send(reqwest::Method::GET, "/env", &[("Host", HOSTNAME)], None, PATIENCE)
            .await;
        asked.ok().filter(|it| it.status.is_success())
    })
    .await;
    assert!(
        environment.body.contains(&format!("PASSWORD={VALUE}")),
        "{}",
        environment.body
    );
    it.wait_ready(1, &service, 2).await;

    // With the keys in it, a backup needs nothing but its passphrase.
    let second = it.lab.disk(HEIR).join("second");
    let wrong = it.lab.state().join("wrong");
    fs::write(&wrong, "another-passphrase\n").unwrap();
    let failed = refused(&restore(&it, &with_keys, &second, &["--passphrase-file", text(&wrong)]));
    assert!(failed.contains("not the passphrase") && !second.exists(), "{failed}");
    said(&restore(
        &it,
        &with_keys,
        &second,
        &["--passphrase-file", text(&passphrase_file(&it))],
    ));
}

/// None of them makes anything.
fn wrong_ones(it: &Fixture, good: &Path, folder: &Path, keyring: &Path) {
    let whole = fs::read(good).unwrap();
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    let cases = [
        ("short.backup", whole[..whole.len() - 100].to_vec(), "not whole"),
        ("altered.backup", altered, "checksum"),
        ("foreign.backup", b"a letter to my aunt".to_vec(), "not a backup"),
    ];
    for (name, bytes, word) in cases {
        let path = it.lab.state().join(name);
        fs::write(&path, bytes).unwrap();
        let errors = refused(&restore(it, &path, folder, &["--keyring", text(keyring)]));
        assert!(errors.contains(word), "{name}: {errors}");
        let errors = refused(&goblins(it, HEIR, &["backup", "--check", text(&path)]));
        assert!(errors.contains(word), "{name}: {errors}");
    }
    let errors = refused(&restore(it, good, folder, &[]));
    assert!(
        errors.contains("cluster key 1") && errors.contains("no keyring was given"),
        "{errors}"
    );
    let rotated = it.lab.disk(1).join("data/keyring");
    let errors = refused(&restore(it, good, folder, &["--keyring", text(&rotated)]));
    assert!(
        errors.contains("cluster key 1") && errors.contains("only 2"),
        "{errors}"
    );
    assert!(!folder.exists(), "something was made");
    let beside: Vec<_> = fs::read_dir(folder.parent().unwrap()).unwrap().flatten().collect();
    assert!(
        beside
            .iter()
            .all(|it| !it.file_name().to_string_lossy().contains("restoring")),
        "something was left"
    );
}
