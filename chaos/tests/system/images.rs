//! Which bytes run: tags that move, registries that are away or say no, and nodes that help each other out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chaos::image::Variant;
use chaos::{Image, Registry};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::common::{PATIENCE, can_make_hosts, eventually_some, fill};
use crate::fixture::{Fixture, id};

const HOSTNAME: &str = "web.example.test";

fn digest(version: &str) -> String {
    Image::build(&Variant::server(version)).unwrap().manifest.digest
}

/// The deployments of a service, oldest first.
async fn deployments(it: &Fixture, service: &str) -> Vec<Value> {
    let path = format!("/api/services/{service}/deployments/");
    let list = it.api(1).get(&path).await.unwrap();
    list["results"].as_array().cloned().unwrap_or_default()
}

async fn newest(it: &Fixture, service: &str) -> Value {
    deployments(it, service).await.pop().expect("there is one")
}

/// Waits until the newest deployment has ended like this.
async fn ended(it: &Fixture, service: &str, status: &str) -> Value {
    eventually_some(&format!("the deployment is {status}"), async || {
        let newest = newest(it, service).await;
        assert!(
            newest["status"] == status || newest["status"] == "pending",
            "wanted {status}: {newest}"
        );
        Some(newest).filter(|it| it["status"] == status)
    })
    .await
}

/// Rolls a service back through the node on a host, to the digest that was kept of a deployment.
async fn roll_back(it: &Fixture, by: u8, service: &str, to: &Value) {
    let path = format!("/api/deployments/{}/rollback/", to["id"].as_str().unwrap());
    it.api(by).post(&path, &json!({})).await.unwrap();
    let back = ended(it, service, "success").await;
    assert_eq!(
        (&back["image_digest"], &back["image_source"]),
        (&to["image_digest"], &json!("kept"))
    );
}

/// What `count` replicas say which version they are, by replica; only those that are ready now count.
async fn versions(it: &Fixture, service: &str, count: usize) -> BTreeSet<String> {
    let proxy = it.cluster.proxy(1).unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        let mut seen = BTreeMap::new();
        for _ in 0..count * 20 {
            let deadline = Duration::from_secs(5);
            let asked = proxy.send(Method::GET, "/hello", &[("Host", HOSTNAME)], None, deadline);
            if let Ok(answer) = asked.await
                && answer.status.is_success()
            {
                let who = answer.json();
                let text = |field: &str| who[field].as_str().unwrap_or_default().to_owned();
                seen.insert(text("replica"), text("version"));
            }
        }
        let ready: BTreeSet<_> = it
            .ready_replicas(1, service)
            .await
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        if seen.len() == count && seen.keys().all(|it| ready.contains(it)) {
            return seen.into_values().collect();
        }
        assert!(
            Instant::now() < end,
            "{count} replicas never answered: {seen:?}, {ready:?}"
        );
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_runs_one_digest_however_its_tag_moves_and_a_rollback_brings_it_back() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(3).await;
    let image = it.push("web", "1", &Variant::server("a")).await;
    let service = it.service(1, "web", &image, 2).await;
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 2).await;
    let first = ended(&it, &service, "success").await;
    assert_eq!(
        (&first["image_digest"], &first["image_source"]),
        (&json!(digest("a")), &json!("registry"))
    );

    // The tag moves; who only wants more replicas gets more of the same.
    it.push("web", "1", &Variant::server("b")).await;
    let path = format!("/api/services/{service}/");
    it.api(2).patch(&path, &json!({"replicas_target": 4})).await.unwrap();
    let second = ended(&it, &service, "success").await;
    assert_eq!(
        (&second["image_digest"], &second["image_source"]),
        (&json!(digest("a")), &json!("kept"))
    );
    assert_eq!(versions(&it, &service, 4).await, BTreeSet::from(["a".to_owned()]));

    // Who names the image gets what the tag means now, the same on every host although it moves on meanwhile.
    it.api(3).patch(&path, &json!({"image": image})).await.unwrap();
    let mut others = 0;
    let third = loop {
        let version = ["c", "d"][others % 2];
        it.push("web", "1", &Variant::server(version)).await;
        others += 1;
        let newest = newest(&it, &service).await;
        assert_ne!(newest["status"], "failed", "{newest}");
        if newest["status"] == "success" {
            break newest;
        }
    };
    let ran = versions(&it, &service, 4).await;
    assert_eq!(ran.len(), 1, "one rollout, several versions: {ran:?}");
    let version = ran.first().unwrap();
    assert_eq!(third["image_digest"], digest(version));
    assert_ne!(version, "a");
    eprintln!("while it rolled out, the tag moved {others} times; all replicas run {version}");

    roll_back(&it, 2, &service, &first).await;
    assert_eq!(versions(&it, &service, 2).await, BTreeSet::from(["a".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_registry_a_lost_host_is_replaced_from_another_one() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(4).await;
    let image = it.push("web", "1", &Variant::server("a")).await;
    let service = it.service(1, "web", &image, 2).await;
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 2).await;
    let before = it.ready_replicas(1, &service).await;
    let on: BTreeSet<_> = before.into_iter().map(|(_, node)| node).collect();
    let host = |node: &String| {
        node.trim_start_matches(|c: char| !c.is_ascii_digit())
            .parse::<u8>()
            .unwrap()
    };
    let lost = on
        .iter()
        .map(host)
        .find(|it| *it != 1)
        .expect("two nodes, one of which is not the first");
    it.registry.stop();
    it.lab.crash(lost).unwrap();
    let begin = Instant::now();
    let moved = eventually_some("two replicas are ready on hosts that live", async || {
        let ready = it.ready_replicas(1, &service).await;
        let nodes: BTreeSet<_> = ready.iter().map(|(_, node)| host(node)).collect();
        Some(nodes).filter(|it| it.len() == 2 && !it.contains(&lost))
    })
    .await;
    eprintln!("replaced after {:?}, on {moved:?}", begin.elapsed());
    assert_eq!(versions(&it, &service, 2).await, BTreeSet::from(["a".to_owned()]));

    // Another rollout of the same image succeeds too, with what is known.
    let path = format!("/api/services/{service}/");
    let begin = Instant::now();
    let patch = json!({"image": image, "env": {"COLOUR": "green"}, "replicas_target": 3});
    it.api(1).patch(&path, &patch).await.unwrap();
    let after = ended(&it, &service, "success").await;
    eprintln!("rolled out without a registry after {:?}", begin.elapsed());
    assert_eq!(
        (&after["image_digest"], &after["image_source"]),
        (&json!(digest("a")), &json!("last_known"))
    );
    // What nobody has fails with the registry's name, in time.
    let begin = Instant::now();
    let unknown = image.replace("web:1", "web:2");
    it.api(1).patch(&path, &json!({"image": unknown})).await.unwrap();
    let failed = ended(&it, &service, "failed").await;
    let why = failed["error_message"].as_str().unwrap();
    eprintln!("failed after {:?}: {why}", begin.elapsed());
    assert!(
        why.contains(it.registry.address()) && why.contains("cannot be reached"),
        "{why}"
    );
    assert_eq!(failed["image_digest"], Value::Null);
    let runs = |shown: &Value| shown["replicas_running"] == 3;
    it.wait_service(1, &service, "the last good version runs on", runs)
        .await;
    let helped = (1..=4).filter(|host| {
        let log = std::fs::read_to_string(it.cluster.log(*host)).unwrap_or_default();
        log.contains("another node has it")
    });
    assert!(
        helped.count() > 0,
        "three hosts run it, and only two had it from the registry"
    );
}

/// The last three good deployments can be rolled back to without a registry, however full the disks are.
#[tokio::test(flavor = "multi_thread")]
async fn full_disks_drop_the_images_that_no_rollback_needs_and_no_other() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::on_small_disks(3, 512).await;
    let hosts = 1..=3;
    let (dropped, kept) = (["a", "b"], ["c", "d", "e"]);
    let image = it.push("web", "a", &Variant::server("a")).await;
    let service = it.service(1, "web", &image, 3).await;
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 3).await;
    let path = format!("/api/services/{service}/");
    for version in ["b", "c", "d", "e"] {
        let image = it.push("web", version, &Variant::server(version)).await;
        it.api(2).patch(&path, &json!({"image": image})).await.unwrap();
        ended(&it, &service, "success").await;
    }
    for host in hosts.clone() {
        for version in dropped.iter().chain(&kept) {
            assert!(it.holds(host, &digest(version)), "{version} ran on host {host}");
        }
    }

    // An eighth is free: less than is wanted.
    hosts.clone().for_each(|host| fill(&it.lab, host, 64));
    let begin = Instant::now();
    eventually_some("what nobody needs is gone", async || {
        let is_gone = |host: u8| dropped.iter().all(|version| !it.holds(host, &digest(version)));
        hosts.clone().all(is_gone).then_some(())
    })
    .await;
    eprintln!("dropped after {:?}", begin.elapsed());
    for host in hosts {
        for version in kept {
            assert!(it.holds(host, &digest(version)), "{version} is needed on host {host}");
        }
    }

    it.registry.stop();
    let third = deployments(&it, &service).await.swap_remove(2);
    assert_eq!(third["image_digest"], digest("c"));
    roll_back(&it, 3, &service, &third).await;
    assert_eq!(versions(&it, &service, 3).await, BTreeSet::from(["c".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_is_told_within_the_deadline_and_waited_for() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(1).await;
    let image = it.push("web", "1", &Variant::server("a")).await;
    it.registry.freeze();
    let begin = Instant::now();
    let service = it.service(1, "web", &image, 1).await;
    let why = eventually_some("the replica says why it does not start", async || {
        let list = it
            .api(1)
            .get(&format!("/api/services/{service}/replicas/"))
            .await
            .ok()?;
        list["results"][0]["reason"]["message"].as_str().map(str::to_owned)
    })
    .await;
    eprintln!("told after {:?}: {why}", begin.elapsed());
    assert!(
        why.contains(it.registry.address()) && why.contains("no complete answer within 8 s"),
        "{why}"
    );
    // Each try takes long, and all of them together no longer than where the answer is no.
    let failed = ended(&it, &service, "failed").await;
    eprintln!("failed after {:?}", begin.elapsed());
    assert!(failed["error_message"].as_str().unwrap().contains(&why), "{failed}");
    it.registry.go_on();
    it.wait_ready(1, &service, 1).await;
    let recovered = newest(&it, &service).await;
    assert_eq!(
        (&recovered["status"], &recovered["image_digest"]),
        (&json!("success"), &json!(digest("a")))
    );
    // A tag that was never pushed is another matter: the answer is no, at once.
    let begin = Instant::now();
    let path = format!("/api/services/{service}/");
    it.api(1)
        .patch(&path, &json!({"image": image.replace("web:1", "web:none")}))
        .await
        .unwrap();
    let failed = ended(&it, &service, "failed").await;
    let why = failed["error_message"].as_str().unwrap();
    eprintln!("failed after {:?}: {why}", begin.elapsed());
    assert!(
        why.contains("has no image") && begin.elapsed() < Duration::from_secs(10),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_registry_is_shown_the_credentials_of_the_secret_and_nobody_else_is() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(1).await;
    let private = Registry::start_private(&mut it.lab).await.unwrap();
    let built = Image::build(&Variant::server("a")).unwrap();
    let image = private.push("team/app", "1", &built).await.unwrap();
    credentials_open(&it, &private, &image, &built).await;
}

/// As Docker Hub, GitHub and GitLab do it: the registry sends its clients to a service for a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_of_tokens_is_shown_one_that_the_credentials_of_the_secret_have_bought() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(1).await;
    let built = Image::build(&Variant::server("a")).unwrap();
    it.registry.push("team/app", "1", &built).await.unwrap();
    let (private, tokens) = Registry::start_with_tokens(&mut it.lab).await.unwrap();
    let image = format!("{}/team/app:1", private.address());
    credentials_open(&it, &private, &image, &built).await;
    let (given, refused) = tokens.count();
    assert!(given > 0 && refused > 0, "{given} given, {refused} refused");
}

/// No credentials, wrong ones, and the right ones, with what is said of each.
async fn credentials_open(it: &Fixture, private: &Registry, image: &str, built: &Image) {
    // Without credentials.
    let service = it.service(1, "web", image, 1).await;
    let why = ended(it, &service, "failed").await["error_message"].to_string();
    assert!(
        why.contains(private.address()) && why.contains("without credentials"),
        "{why}"
    );

    // With wrong ones: the registry and the secret are named, the password is not.
    let api = it.api(1);
    let secret = id(&api
        .post("/api/secrets/", &json!({"name": "our-registry"}))
        .await
        .unwrap());
    let items = format!("/api/secrets/{secret}/items/");
    let mut password = String::new();
    for (key, value) in [("username", Registry::USER), ("password", "wr0ng-canary-5519")] {
        let item = api.post(&items, &json!({"key": key, "value": value})).await.unwrap();
        password = id(&item);
    }
    let path = format!("/api/services/{service}/");
    let shown = api.patch(&path, &json!({"registry_secret": secret})).await.unwrap();
    assert_eq!(shown["registry_secret"], json!(secret));
    let why = ended(it, &service, "failed").await["error_message"].to_string();
    assert!(why.contains(private.address()) && why.contains("our-registry"), "{why}");

    // A secret that is in use stays.
    let refused = api
        .send(Method::DELETE, &format!("/api/secrets/{secret}/"), &[], None, PATIENCE)
        .await
        .unwrap();
    assert_eq!(refused.status, 400, "{}", refused.body);

    // Corrected, nothing else has to be said.
    api.patch(&format!("{items}{password}/"), &json!({"value": Registry::PASSWORD}))
        .await
        .unwrap();
    it.wait_ready(1, &service, 1).await;
    assert_eq!(newest(it, &service).await["image_digest"], json!(built.manifest.digest));

    // Neither password is in the daemon's log, nor in what containerd keeps.
    let log = std::fs::read_to_string(it.cluster.log(1)).unwrap();
    for password in ["wr0ng-canary-5519", Registry::PASSWORD] {
        assert!(!log.contains(password));
        let script = format!(
            "grep -rlF -- {password} /var/lib/containerd {} || true",
            it.lab.disk(1).display()
        );
        let found = it.lab.exec(1, &["sh", "-c", &script], PATIENCE).unwrap();
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        assert!(found.trim().is_empty(), "{found}");
    }
}
