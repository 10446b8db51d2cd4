//! Commands beside replicas, on whichever host.

use chaos::image::Variant;
use serde_json::json;

use super::{goblins, said, shell, spawn, text};
use crate::common::{PATIENCE, can_make_hosts, eventually};
use crate::fixture::{Fixture, id, item, secret};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_has_what_its_container_has_and_ends_with_its_client() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(2).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let api = it.api(1);
    let secret = secret(&api, "tokens").await;
    item(&api, &secret, "TOKEN", "s3cret").await;
    let wanted = json!({
        "name": "web", "image": image, "port": 8080, "replicas_target": 2, "env": {"LEVEL": "debug"}, "secret": secret,
    });
    let service = id(&api.post("/api/services/", &wanted).await.unwrap());
    it.wait_ready(1, &service, 2).await;

    // Both replicas through one node, so that one of them is on another host.
    let replicas = it.ready_replicas(1, &service).await;
    for (replica, node) in &replicas {
        let words = ["exec", "web", "--replica", replica, "--", "/testserver", "--show=env"];
        let env = said(&goblins(&it, 1, &words));
        for line in [
            format!("GOBLINS_REPLICA={replica}"),
            format!("GOBLINS_NODE={node}"),
            "LEVEL=debug".to_owned(),
            "TOKEN=s3cret".to_owned(),
            "VERSION=1".to_owned(),
        ] {
            assert!(env.lines().any(|it| it == line), "{line} in {env}");
        }
    }
    let who = |flags: &str| {
        said(&shell(
            &it,
            2,
            &format!("\"$GOBLINS\" exec web {flags} -- /testserver --show=who"),
        ))
    };
    assert_eq!(who("").trim(), "user=0 folder=/ terminal=false");
    assert_eq!(who("-t").trim(), "user=0 folder=/ terminal=true");

    // Its exit code is the client's, and so is what a shell says of a program that is not there.
    let code = |command: &str| goblins(&it, 2, &["exec", "web", "--", command]).status.code();
    assert_eq!(code("/testserver --exit=7"), Some(7));
    assert_eq!(code("/testserver --show=env"), Some(0));
    let missing = goblins(&it, 1, &["exec", "web", "--", "/no-such-program"]);
    assert_eq!(missing.status.code(), Some(127), "{}", text(&missing.stderr));
    let unknown = goblins(&it, 1, &["exec", "nothing", "--", "true"]);
    assert_eq!(unknown.status.code(), Some(125), "{}", text(&unknown.stderr));

    // A megabyte goes through, there and back.
    let line = "head -c 1000000 /dev/zero | \"$GOBLINS\" exec web -i -- /testserver --show=cat | wc -c";
    assert_eq!(said(&shell(&it, 2, line)).trim(), "1000000");

    // A client that is killed takes its command along.
    let client = spawn(&it, 1, "exec", &["exec", "web", "--", "/testserver", "--show=wait"]);
    let runs = || {
        let found = |host| {
            it.lab
                .exec(host, &["pgrep", "-f", "^/testserver --show=wait"], PATIENCE)
        };
        (1..=2).any(|host| found(host).is_ok_and(|output| output.status.success()))
    };
    eventually("the command runs", runs);
    client.signal(nix::sys::signal::Signal::SIGKILL);
    eventually("the command has gone", || !runs());
    it.wait_ready(1, &service, 2).await;

    // All of it is on record.
    let events = api.get("/api/events/?kind=service.exec").await.unwrap();
    assert!(events["count"].as_u64().is_some_and(|count| count >= 8), "{events}");
    let note = events["results"][0]["note"].as_str().unwrap_or_default();
    assert!(note.starts_with("/testserver beside replica "), "{note}");
    assert!(
        !events.to_string().contains("--show"),
        "arguments are nobody's business"
    );
}
