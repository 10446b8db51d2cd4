//! The ground a daemon stands on: its containerd, its disk, and a host with nobody else on it.

use std::time::Duration;

use chaos::image::Variant;
use chaos::lab::Program;
use chaos::{Lab, paths};
use reqwest::Method;
use serde_json::json;

use crate::common::{self, PATIENCE, can_make_hosts, eventually, eventually_some};
use crate::fixture::{Fixture, id};

const HOSTNAME: &str = "web.example.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_containerd_that_dies_is_started_again_and_its_containers_never_stopped() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(1).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let service = it.service(1, "web", &image, 1).await;
    it.route(1, 1, HOSTNAME, &service).await;
    it.wait_ready(1, &service, 1).await;
    let containers = it.container_pids(1);
    let daemon = it.cluster.daemon(1).unwrap().id();

    let killed = it
        .lab
        .exec(1, &["pkill", "-KILL", "-x", "containerd"], PATIENCE)
        .unwrap();
    assert!(killed.status.success());
    it.answers(1, HOSTNAME, 1).await;
    eventually("another containerd runs", || {
        it.lab
            .exec(1, &["pgrep", "-x", "containerd"], PATIENCE)
            .is_ok_and(|output| output.status.success())
    });
    assert_eq!(it.container_pids(1), containers);
    // It is of use: a second service can be started with it.
    let second = it.service(1, "second", &image, 1).await;
    it.wait_ready(1, &second, 1).await;
    assert!(daemon.alive());
}

#[test]
fn without_containerd_the_daemon_says_which_packages_to_install() {
    if !can_make_hosts() {
        return;
    }
    let lab = Lab::up(1, None).unwrap();
    let goblins = paths::goblins().unwrap().display().to_string();
    let data = lab.disk(1).join("data").display().to_string();
    let words = ["env", "PATH=/no/such/folder", &goblins, "dev", "--data-dir", &data];
    let output = lab.exec(1, &words, PATIENCE).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for word in ["containerd", "runc", "install"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn dev_is_one_node_on_loopback_that_prints_its_urls_and_a_key() {
    if !can_make_hosts() {
        return;
    }
    let lab = Lab::up(1, None).unwrap();
    let log = lab.disk(1).join("dev.log");
    let program = Program::new(paths::goblins().unwrap(), &log);
    let program = program.args([
        "dev".as_ref(),
        "--data-dir".as_ref(),
        lab.disk(1).join("dev").as_os_str(),
    ]);
    let daemon = lab.spawn(1, &program).unwrap();
    let printed = || std::fs::read_to_string(&log).unwrap_or_default();
    let word_with = |start: &str| {
        let text = printed();
        text.split_whitespace()
            .find(|word| word.starts_with(start))
            .map(str::to_owned)
    };
    eventually("it prints a key and its URLs", || {
        assert!(daemon.exited().is_none(), "{}", printed());
        word_with("gob_").is_some() && word_with("http://127.0.0.1:7400").is_some()
    });
    let key = format!("X-API-Key: {}", word_with("gob_").unwrap());
    let ask = || {
        lab.exec(
            1,
            &["curl", "-sS", "-H", &key, "http://127.0.0.1:7400/api/services/"],
            PATIENCE,
        )
    };
    let answer = String::from_utf8_lossy(&ask().unwrap().stdout).into_owned();
    assert!(answer.starts_with(r#"{"count":0,"#), "{answer}");

    // Nothing of it can be reached from elsewhere, and it stops when it is told to.
    let outside = std::net::SocketAddr::from((lab.address(1), 7400));
    assert!(std::net::TcpStream::connect_timeout(&outside, Duration::from_secs(1)).is_err());
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(
        daemon.wait(PATIENCE).is_some_and(|exit| exit.success()),
        "{}",
        printed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_loses_nothing() {
    if !can_make_hosts() {
        return;
    }
    common::install_crypto();
    let lab = Lab::up(1, None).unwrap();
    // The node's disk is its own and small.
    let data = lab.disk(1).join("data").display().to_string();
    let shell = |script: &str| lab.exec(1, &["sh", "-c", script], PATIENCE).unwrap();
    assert!(
        shell(&format!("mkdir -p {data} && mount -t tmpfs -o size=192m tmpfs {data}"))
            .status
            .success()
    );
    let flags = vec!["--no-agent".to_owned()];
    let options = chaos::cluster::Options {
        flags,
        ..Default::default()
    };
    let cluster = chaos::Cluster::start(&lab, options).await.unwrap();
    let api = cluster.client(1).unwrap();
    // Large, because the stores reserve room in their logs ahead of what they write.
    let ballast = "x".repeat(60_000);
    let service = async |name: &str| {
        let body = json!({"name": name, "image": "web:1", "port": 80, "env": {"BALLAST": ballast}});
        api.send(
            Method::POST,
            "/api/services/",
            &[],
            Some(&body),
            Duration::from_secs(15),
        )
        .await
    };
    let mut acknowledged = Vec::new();
    for number in 0..10 {
        let answer = service(&format!("before-{number}")).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
        acknowledged.push(id(&answer.json()));
    }
    shell(&format!("dd if=/dev/zero of={data}/filler bs=64k"));
    let mut refused = None;
    for number in 0..3000 {
        let answer = service(&format!("service-{number}")).await.unwrap();
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
        acknowledged.push(id(&answer.json()));
    }
    let refused = refused.expect("a full disk takes no writes for ever");
    // The client is told which disk is full and what to do; the node goes on, and answers reads.
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(
        refused.body.contains(&data) && refused.body.contains("make room"),
        "{}",
        refused.body
    );
    api.get("/api/services/").await.unwrap();

    // With room again all that was acknowledged is there, writes go on, and it is still the same daemon.
    shell(&format!("rm {data}/filler"));
    for id in &acknowledged {
        api.get(&format!("/api/services/{id}/")).await.unwrap();
    }
    eventually_some("a write is accepted", async || {
        service("after").await.ok().filter(|answer| answer.status == 201)
    })
    .await;
    assert!(
        cluster.daemon(1).unwrap().wait(Duration::ZERO).is_none(),
        "the daemon has stayed up"
    );
}
