//! Nodes that cannot be let in, or no longer: each is told why and what to do, and nothing of what it holds is changed. No
//! hosts are needed: all daemons are on loopback.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chaos::{command, paths};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::eventually;

const DEADLINE: Duration = Duration::from_secs(60);
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// A node: its folder, its addresses, and its daemon while one runs.
struct Node {
    name: &'static str,
    data: PathBuf,
    log: PathBuf,
    api: String,
    peer: String,
    http: String,
    daemon: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- {}\n{}",
                self.name,
                fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
        self.kill();
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

impl Node {
    fn new(folder: &TempDir, name: &'static str) -> Self {
        Self {
            name,
            data: folder.path().join(name),
            log: folder.path().join(format!("{name}.log")),
            api: free_address(),
            peer: free_address(),
            http: free_address(),
            daemon: None,
        }
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut goblins = Command::new(paths::goblins().unwrap());
        goblins
            .args(verb)
            .args(["--no-agent", "--node-name", self.name, "--data-dir"]);
        goblins.arg(&self.data);
        goblins.args([
            "--api-addr",
            &self.api,
            "--peer-addr",
            &self.peer,
            "--http-addr",
            &self.http,
        ]);
        goblins.args(["--api-rate-limit", "off"]);
        goblins.env_remove("GOBLINS_DATA_DIR");
        goblins
    }

    /// Starts the daemon and waits until it is ready.
    fn start(&mut self, verb: &[&str]) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut goblins = self.command(verb);
        goblins
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log);
        self.daemon = Some(goblins.spawn().unwrap());
        eventually("the node is ready", || {
            let mut curl = Command::new("curl");
            curl.args(["-fsS", "-o", "/dev/null", &format!("http://{}/readyz", self.api)]);
            command::output(&mut curl, DEADLINE).is_ok_and(|it| it.status.success())
        });
    }

    fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// The daemon ends by itself, and says all of these words.
    fn ends(&self, verb: &[&str], environment: &[(&str, &str)], words: &[&str]) {
        let mut goblins = self.command(verb);
        goblins.envs(environment.iter().copied());
        let output = command::output(&mut goblins, DEADLINE).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "accepted: {said}");
        assert!(!said.contains("panicked"), "{said}");
        for word in words {
            assert!(
                said.contains(word),
                "no `{word}` in what {} says to {verb:?}:\n{said}",
                self.name
            );
        }
    }

    /// A command of a client, asked of this node.
    fn client(&self, key: &str, words: &[&str]) -> String {
        let mut goblins = Command::new(paths::goblins().unwrap());
        goblins
            .args(words)
            .args(["--api", &format!("http://{}", self.api), "--key", key]);
        let output = command::output(&mut goblins, DEADLINE).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}{error}");
        said.trim().to_owned()
    }

    fn is_claimed(&self) -> bool {
        self.data.join("identity.json").exists()
    }
}

/// What lies in a data folder and is not written to by looking at it.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for file in ["identity.json", "keyring", "node.pem"] {
        all.extend(fs::read(folder.join(file)).map(|bytes| (file.into(), bytes)));
    }
    for store in ["log", "state/0"] {
        let Ok(found) = fs::read_dir(folder.join(store)) else {
            continue;
        };
        for path in found.map(|it| it.unwrap().path()) {
            let is_data = path.extension().is_some_and(|it| it == "sst");
            all.extend(is_data.then(|| (path.clone(), fs::read(&path).unwrap())));
        }
    }
    all
}

/// Opening a store moves what was last written into new tables; all that was there is as it was.
fn unchanged(folder: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let after = content(folder);
    for (path, bytes) in before {
        assert!(after.get(path) == Some(bytes), "{} was written to", path.display());
    }
}

/// A cluster of one, and the key of its admin.
fn founded(folder: &TempDir, name: &'static str) -> (Node, String) {
    let mut first = Node::new(folder, name);
    let file = folder.path().join(format!("{name}.key"));
    first.start(&["server", "--bootstrap-key-file", &file.display().to_string()]);
    (first, fs::read_to_string(file).unwrap().trim().to_owned())
}

#[test]
fn a_node_that_cannot_be_let_in_is_told_why_and_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (first, key) = founded(&folder, "a");
    let token = first.client(&key, &["token", "create", "--uses", "2"]);
    let late = Node::new(&folder, "late");
    let refused = |node: &Node, token: &str, said: &[&str]| {
        node.ends(&["join", &first.peer, "--token", token], &[], said);
        assert!(!node.is_claimed(), "nothing was promised to it");
    };

    refused(&late, "gobj_cut", &["--token", "goblins token create"]);
    let unknown = token.replacen("gobj_", "gobj_x", 1);
    refused(
        &late,
        &unknown,
        &["unknown, expired or used up", "goblins token create"],
    );
    let short = first.client(&key, &["token", "create", "--ttl", "1s"]);
    eventually("the token has expired", || {
        let mut goblins = late.command(&["join", &first.peer, "--token", &short]);
        std::thread::sleep(Duration::from_millis(1_100));
        let output = command::output(&mut goblins, DEADLINE).unwrap();
        String::from_utf8_lossy(&output.stderr).contains("the join token expired")
    });
    assert!(!late.is_claimed());

    // The name of another, or its address.
    let mut twin = Node::new(&folder, "twin");
    twin.name = "a";
    refused(
        &twin,
        &token,
        &["node name \"a\"", "goblins node remove a", "--node-name"],
    );
    claims_address_of(&Node::new(&folder, "squatter"), &first, &token);

    // The token lets in as many as it was made for, of those who are in order.
    let mut second = Node::new(&folder, "b");
    second.start(&["join", &first.peer, "--token", &token]);
    let mut third = Node::new(&folder, "c");
    third.start(&["server", "--join", &first.peer, "--token", &token]);
    let shown: Value = serde_json::from_str(&first.client(&key, &["node", "list", "--json"])).unwrap();
    assert_eq!(shown.as_array().map(Vec::len), Some(3), "{shown}");
    refused(&late, &token, &["used up", "goblins token create", "--uses"]);
}

/// Listens on all addresses but that one, and says that it is there.
fn claims_address_of(squatter: &Node, first: &Node, token: &str) {
    let mut goblins = Command::new(paths::goblins().unwrap());
    goblins.args([
        "join",
        &first.peer,
        "--token",
        token,
        "--no-agent",
        "--node-name",
        squatter.name,
        "--data-dir",
    ]);
    goblins.arg(&squatter.data);
    goblins.args([
        "--api-addr",
        &squatter.api,
        "--http-addr",
        &squatter.http,
        "--peer-addr",
        &first.peer,
    ]);
    let output = command::output(&mut goblins, DEADLINE).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains(&first.peer) && said.contains("in use"),
        "{said}"
    );
    assert!(!squatter.is_claimed());
}

#[test]
fn a_node_that_was_wiped_or_removed_is_told_how_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (first, key) = founded(&folder, "a");
    let token = first.client(&key, &["token", "create", "--uses", "2"]);
    let mut second = Node::new(&folder, "b");
    second.start(&["join", &first.peer, "--token", &token]);
    second.kill();

    // Its identity is there and what it has promised is not.
    let kept = folder.path().join("kept");
    for store in ["log", "state"] {
        fs::create_dir_all(&kept).unwrap();
        fs::rename(second.data.join(store), kept.join(store)).unwrap();
        let before = content(&second.data);
        second.ends(
            &["server"],
            &[],
            &[store, "join again as a new node", &second.data.display().to_string()],
        );
        unchanged(&second.data, &before);
        fs::rename(kept.join(store), second.data.join(store)).unwrap();
    }
    // Of a version that is not out yet.
    let identity = second.data.join("identity.json");
    let good = fs::read_to_string(&identity).unwrap();
    fs::write(&identity, good.replacen("\"format\": 2", "\"format\": 99", 1)).unwrap();
    let before = content(&second.data);
    second.ends(&["server"], &[], &["format 99", "run the newer version"]);
    unchanged(&second.data, &before);
    fs::write(&identity, good).unwrap();
    // With a clock that is years off. The cluster is founded today, and so is the certificate.
    if Path::new(FAKETIME).exists() {
        let wrong = [
            ("LD_PRELOAD", FAKETIME),
            ("FAKETIME", "-3y"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let before = content(&second.data);
        second.ends(&["server"], &wrong, &["clock says", "set the clock"]);
        unchanged(&second.data, &before);
    }
    // With the certificate of a node of another cluster.
    let (other, _) = founded(&folder, "elsewhere");
    let own = fs::read(second.data.join("node.pem")).unwrap();
    fs::copy(other.data.join("node.pem"), second.data.join("node.pem")).unwrap();
    let before = content(&second.data);
    second.ends(
        &["server"],
        &[],
        &["belongs to node 1 of cluster", "node.pem", "delete it"],
    );
    unchanged(&second.data, &before);
    fs::write(second.data.join("node.pem"), own).unwrap();

    // It lost everything: its old place is not given to it, and it is said how it gets a new one.
    let old = folder.path().join("old");
    fs::rename(&second.data, &old).unwrap();
    second.ends(
        &["join", &first.peer, "--token", &token],
        &[],
        &["node name \"b\"", "goblins node remove b"],
    );
    assert!(!second.is_claimed());
    eventually("it may be removed", || {
        let mut goblins = Command::new(paths::goblins().unwrap());
        goblins.args([
            "node",
            "remove",
            "b",
            "--api",
            &format!("http://{}", first.api),
            "--key",
            &key,
        ]);
        command::output(&mut goblins, DEADLINE).is_ok_and(|it| it.status.success())
    });
    // What was removed does not come back with what it had, nor with its certificate.
    let fresh = std::mem::replace(&mut second.data, old);
    second.ends(&["server"], &[], &["removed from the cluster", "join anew"]);
    second.data = fresh;
    second.start(&["join", &first.peer, "--token", &token]);
    let shown: Value = serde_json::from_str(&first.client(&key, &["node", "list", "--json"])).unwrap();
    let ids: Vec<_> = shown.as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [1, 3], "{shown}");
}
