//! A majority of the voters is lost for good: one of the survivors becomes the cluster, with all that it holds.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use chaos::cluster::{Options, node_name};
use chaos::lab::Program;
use chaos::{Cluster, Lab};
use serde_json::{Value, json};

use crate::common::{self, PATIENCE, eventually_some};

const HOSTS: u8 = 5;

/// A cluster of which the test takes the daemons down and up by itself.
struct Ruin {
    cluster: Cluster,
    lab: Lab,
}

impl Drop for Ruin {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.cluster.tails(30));
        }
    }
}

impl Ruin {
    fn goblins(&self, host: u8, words: &[&str]) -> Output {
        let program = chaos::paths::goblins().unwrap().display().to_string();
        let mut all = vec![program.as_str()];
        all.extend(words);
        self.lab.exec(host, &all, PATIENCE).unwrap()
    }

    /// `goblins recover` on the folder of a host.
    fn recover(&self, host: u8, words: &[&str]) -> Output {
        let folder = self.lab.disk(host).join("data").display().to_string();
        let mut all = vec!["recover", "--data-dir", &folder];
        all.extend(words);
        self.goblins(host, &all)
    }

    /// A command of a client, asked of the node on a host.
    fn client(&self, host: u8, words: &[&str]) -> Output {
        let (api, key) = (self.cluster.url(host, 7400).unwrap(), self.cluster.key().to_owned());
        let mut all = words.to_vec();
        all.extend(["--api", &api, "--key", &key]);
        self.goblins(host, &all)
    }

    fn health(&self, host: u8) -> (i32, Value) {
        let output = self.client(host, &["cluster", "health", "--json"]);
        let shown = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code().unwrap_or(-1), shown)
    }

    async fn wait_health(&self, host: u8, what: &str, good: impl Fn(i32, &Value) -> bool) -> Value {
        eventually_some(what, async || {
            let (code, shown) = self.health(host);
            if good(code, &shown) {
                return Some(shown);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            None
        })
        .await
    }

    /// Starts a node on an emptied folder, which joins the one on another host.
    async fn join_anew(&mut self, host: u8, through: u8) {
        let folder = self.lab.disk(host).join("data");
        std::fs::remove_dir_all(&folder).unwrap();
        let output = self.client(through, &["token", "create"]);
        let token = said(&output).trim().to_owned();
        let address = self.lab.address(host);
        let mut program = Program::new(chaos::paths::goblins().unwrap(), self.cluster.log(host)).args(["server"]);
        program = program.args(["--data-dir".as_ref(), folder.as_os_str()]);
        program = program.args(["--node-name", &node_name(host), "--no-agent", "--api-rate-limit", "off"]);
        for (flag, port) in [("--api-addr", 7400), ("--peer-addr", 7401), ("--http-addr", 8080)] {
            program = program.args([flag, &format!("{address}:{port}")]);
        }
        let join = format!("{}:7401", self.lab.address(through));
        program = program.args(["--join", &join, "--token", &token]);
        self.lab.spawn(host, &program).unwrap();
        eventually_some("the node that joins anew serves", async || {
            self.projects(host).await.filter(|names| names.len() > 1)
        })
        .await;
    }

    /// Names of the projects, as the node on a host reads them consistently.
    async fn projects(&self, host: u8) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for page in 1.. {
            let shown = self
                .cluster
                .client(host)
                .ok()?
                .get(&format!("/api/projects/?page={page}"))
                .await
                .ok()?;
            let results = shown["results"].as_array()?.clone();
            names.extend(results.iter().filter_map(|it| it["name"].as_str().map(str::to_owned)));
            if shown["next"].is_null() {
                break;
            }
        }
        Some(names)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Fails, and says all of this.
fn refused(output: &Output, words: &[&str]) {
    let said = said(output);
    assert!(!output.status.success(), "it should have been refused: {said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    said(output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survivor_becomes_the_cluster_and_lost_voters_are_refused() {
    if !common::can_make_hosts() {
        return;
    }
    common::install_crypto();
    let lab = Lab::up(HOSTS, None).expect("the lab comes up");
    let options = Options {
        flags: vec!["--no-agent".to_owned()],
        ..Options::default()
    };
    let cluster = Cluster::start(&lab, options).await.expect("the cluster starts");
    let mut it = Ruin { cluster, lab };
    let shown = it
        .wait_health(3, "five voters", |code, shown| code == 0 && shown["voters"] == 5)
        .await;
    assert_eq!(
        (&shown["losses_survived"], &shown["epoch"]),
        (&json!(2), &json!(0)),
        "{shown}"
    );
    for n in 0..20 {
        let project = json!({"name": format!("p{n}")});
        it.cluster
            .client(2 + n % 2)
            .unwrap()
            .post("/api/projects/", &project)
            .await
            .unwrap();
    }
    refused(&it.recover(2, &["--plan"]), &["a daemon runs on", "stop it first"]);

    it.cluster.kill(5).unwrap();
    let shown = it.wait_health(2, "a lost voter is noticed", |code, _| code == 1).await;
    assert_eq!(
        (&shown["status"], &shown["losses_survived"]),
        (&json!("degraded"), &json!(1)),
        "{shown}"
    );
    for host in [1, 4] {
        it.cluster.kill(host).unwrap();
    }
    let shown = it
        .wait_health(2, "the lost majority is noticed", |code, _| code == 2)
        .await;
    assert_eq!(shown["status"], "no_quorum", "{shown}");
    assert!(
        shown["warnings"].to_string().contains("goblins recover --plan"),
        "{shown}"
    );
    for host in [2, 3] {
        it.cluster.kill(host).unwrap();
    }

    let (kept, files) = plans(&it);
    let (keep, other) = if kept == 2 { (2, 3) } else { (3, 2) };
    let with = |host: u8| files.join(format!("{host}.json")).display().to_string();
    bad_input(&it, keep, &with(other));
    let text = good(&it.recover(keep, &["--plan", "--with", &with(other)]));
    assert!(
        text.contains(&format!("Keep {}", node_name(keep))) && text.contains("What may be lost"),
        "{text}"
    );
    refused(
        &it.recover(other, &["--force-new-cluster", "--yes", "--with", &with(keep)]),
        &[&node_name(keep), "is the one to keep"],
    );
    refused(&it.recover(keep, &["--force-new-cluster"]), &["nothing was changed"]);
    let text = good(&it.recover(keep, &["--force-new-cluster", "--yes", "--with", &with(other)]));
    assert!(text.contains("epoch 1"), "{text}");

    // Every write is there, and new ones are taken.
    it.cluster.launch(&it.lab, keep).unwrap();
    it.cluster.wait_ready(keep).await.unwrap();
    let names = it.projects(keep).await.expect("it can be read");
    for n in 0..20 {
        assert!(names.contains(&format!("p{n}")), "p{n} is not in {names:?}");
    }
    let after = json!({"name": "after"});
    it.cluster
        .client(keep)
        .unwrap()
        .post("/api/projects/", &after)
        .await
        .unwrap();
    let shown = it.wait_health(keep, "a cluster of one", |code, _| code == 0).await;
    assert_eq!((&shown["voters"], &shown["epoch"]), (&json!(1), &json!(1)), "{shown}");

    // Lost voters come back with their old folders: one that knew of the survivor's every entry, and two at once.
    for hosts in [vec![1], vec![4, 5]] {
        for host in &hosts {
            it.cluster.launch(&it.lab, *host).unwrap();
        }
        for host in hosts {
            let daemon = it.cluster.daemon(host).unwrap();
            assert!(daemon.wait(PATIENCE).is_some(), "the lost voter on host {host} goes on");
            let log = std::fs::read_to_string(it.cluster.log(host)).unwrap();
            assert!(log.contains("founded anew without it (epoch 1)"), "{log}");
            assert!(log.contains("empty its data folder and join anew"), "{log}");
        }
    }

    // Emptied, they join again.
    it.join_anew(other, keep).await;
    it.join_anew(1, keep).await;
    let names = it.projects(1).await.expect("it can be read");
    assert!(
        names.contains(&"after".to_owned()) && names.contains(&"p0".to_owned()),
        "{names:?}"
    );
    let shown = it
        .wait_health(other, "three voters", |code, shown| code == 0 && shown["voters"] == 3)
        .await;
    let ids: Vec<u64> = shown["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["id"].as_u64())
        .collect();
    assert!(
        ids[1..].iter().all(|id| *id > 1_000),
        "ids of the lost epoch are not given out again: {ids:?}"
    );

    promote_and_demote(&it, keep, other).await;
}

/// What each survivor says, in a file each; answers which one is to be kept.
fn plans(it: &Ruin) -> (u8, std::path::PathBuf) {
    let files = it.lab.state().join("plans");
    std::fs::create_dir_all(&files).unwrap();
    for host in [2, 3] {
        let output = it.recover(host, &["--plan", "--json"]);
        good(&output);
        std::fs::write(files.join(format!("{host}.json")), &output.stdout).unwrap();
    }
    let with = files.join("3.json").display().to_string();
    let output = it.recover(2, &["--plan", "--json", "--with", &with]);
    good(&output);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["advice"]["is_quorum"], false, "{shown}");
    assert_eq!(shown["advice"]["missing"], json!([1, 4, 5]), "{shown}");
    let keep = shown["advice"]["keep"].as_u64().unwrap();
    (u8::try_from(keep).unwrap(), files)
}

fn bad_input(it: &Ruin, keep: u8, with: &str) {
    let scratch = it.lab.state().join("bad");
    let plan = |folder: &Path| {
        let folder = folder.display().to_string();
        it.goblins(keep, &["recover", "--plan", "--data-dir", &folder])
    };
    std::fs::create_dir_all(scratch.join("empty")).unwrap();
    refused(&plan(&scratch.join("empty")), &["holds no node"]);
    refused(&plan(&scratch.join("absent")), &["holds no node"]);
    assert!(!scratch.join("absent").exists(), "nothing is made there");
    std::fs::create_dir_all(scratch.join("foreign")).unwrap();
    std::fs::write(scratch.join("foreign/letter.txt"), "x").unwrap();
    refused(&plan(&scratch.join("foreign")), &["letter.txt"]);
    std::fs::create_dir_all(scratch.join("newer")).unwrap();
    std::fs::write(scratch.join("newer/identity.json"), r#"{"format": 99}"#).unwrap();
    refused(&plan(&scratch.join("newer")), &["format 99"]);

    let text = std::fs::read_to_string(with).unwrap();
    let shown: Value = serde_json::from_str(&text).unwrap();
    let cluster = shown["survivor"]["cluster"].as_str().unwrap();
    let foreign = scratch.join("foreign.json");
    std::fs::write(&foreign, text.replace(cluster, "00000000-0000-0000-0000-000000000009")).unwrap();
    let foreign = foreign.display().to_string();
    refused(
        &it.recover(keep, &["--plan", "--with", &foreign]),
        &["leave its file out"],
    );
    let cut = scratch.join("cut.json");
    std::fs::write(&cut, &text[..text.len() / 2]).unwrap();
    let cut = cut.display().to_string();
    refused(
        &it.recover(keep, &["--plan", "--with", &cut]),
        &["cut.json", "--plan --json"],
    );
    refused(
        &it.recover(keep, &["--plan", "--with", with, "--with", with]),
        &["given twice"],
    );
    // Its own file among the others says nothing new.
    let own = scratch.join("own.json");
    std::fs::write(&own, &it.recover(keep, &["--plan", "--json"]).stdout).unwrap();
    let own = own.display().to_string();
    good(&it.recover(keep, &["--plan", "--with", &own, "--with", with]));
}

async fn promote_and_demote(it: &Ruin, keep: u8, other: u8) {
    let node = node_name(other);
    let text = good(&it.client(keep, &["node", "demote", &node]));
    assert!(text.contains("is a learner"), "{text}");
    let shown = it
        .wait_health(keep, "two may vote", |code, shown| code == 0 && shown["voters"] == 1)
        .await;
    let line = shown["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == node.as_str())
        .unwrap()
        .clone();
    assert_eq!((&line["voting"], &line["role"]), (&json!("never"), &json!("learner")));
    good(&it.client(keep, &["node", "demote", &node_name(1)]));
    let refusal = it.client(keep, &["node", "demote", &node_name(keep)]);
    refused(&refusal, &["Every other node is set never to vote"]);
    good(&it.client(keep, &["node", "demote", &node_name(1), "--auto"]));
    let text = good(&it.client(keep, &["node", "promote", &node]));
    assert!(text.contains("is a voter"), "{text}");
    good(&it.client(keep, &["node", "promote", &node, "--auto"]));
    it.wait_health(keep, "three voters again", |code, shown| {
        code == 0 && shown["voters"] == 3
    })
    .await;
}
