//! The steps of the demo, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::figures::Figures;
use super::load::{Load, Tally};
use super::screen::Screen;
use super::{DemoError, STEP_DEADLINE};
use crate::client::ClientError;
use crate::cluster::{Cluster, ClusterError, HTTP_PORT, Options, node_name};
use crate::image::{Image, Variant};
use crate::lab::Lab;
use crate::registry::Registry;

pub(super) const HOSTNAME: &str = "hello.example.test";
const REPLICAS: usize = 3;
const POLL: Duration = Duration::from_millis(20);
/// How long the load runs before and after the loss, so that both can be told from it.
const LOAD_BEFORE: Duration = Duration::from_secs(1);
const LOAD_AFTER: Duration = Duration::from_secs(2);

/// Runs all steps on a lab that has just come up.
pub(super) async fn run(lab: &mut Lab, screen: &Screen) -> Result<(Cluster, Figures), DemoError> {
    let mut figures = Figures::default();
    screen.step("an image, made here, in a registry inside the lab");
    let registry = Registry::start(lab).await?;
    let image = registry
        .push("hello", "1", &Image::build(&Variant::server("1"))?)
        .await?;
    screen.done(&image);

    screen.step("a cluster of three hosts, each with its own daemon and containerd");
    let options = Options {
        insecure_registries: vec![registry.address().to_owned()],
        ..Options::default()
    };
    let mut cluster = Cluster::start(lab, options).await?;
    let daemons = cluster
        .hosts()
        .into_iter()
        .filter_map(|host| cluster.daemon(host).ok()?.id().resident_bytes());
    figures.idle_bytes = daemons.max().unwrap_or_default();
    screen.done("");

    screen.step("restart of one daemon on the folder it left");
    cluster.stop(2)?;
    let since = Instant::now();
    cluster.launch(lab, 2)?;
    cluster.wait_ready(2).await?;
    figures.restart = since.elapsed();
    screen.done("");

    screen.step("a domain through node-1, a service of three replicas through node-2, a route through node-3");
    let domain = cluster
        .client(1)?
        .post("/api/domains/", &json!({"hostname": HOSTNAME}))
        .await?;
    let since = Instant::now();
    let wanted = json!({"name": "hello", "image": image, "port": 8080, "replicas_target": REPLICAS});
    let service = id(cluster.client(2)?.post("/api/services/", &wanted).await?)?;
    let route = json!({"path": "/", "domain": id(domain)?, "service": service});
    cluster.client(3)?.post("/api/routes/", &route).await?;
    wait_service(&cluster, 1, &service, screen).await?;
    figures.ready = since.elapsed();
    screen.done("the service is ready");

    for host in cluster.hosts() {
        show_answers(&cluster, host, &[], screen).await?;
    }

    lose_the_leader(lab, &cluster, &service, screen, &mut figures).await?;
    Ok((cluster, figures))
}

async fn lose_the_leader(
    lab: &mut Lab,
    cluster: &Cluster,
    service: &str,
    screen: &Screen,
    figures: &mut Figures,
) -> Result<(), DemoError> {
    screen.step("power loss of the leader's host");
    let leader = wait("a leader", async || {
        let leader = cluster.leader(1).await;
        leader
            .map_err(|error| error.to_string())
            .and_then(|leader| leader.ok_or("no leader".to_owned()))
    })
    .await?;
    let left: Vec<u8> = cluster.hosts().into_iter().filter(|host| *host != leader).collect();
    let [writer, reader] = left[..] else {
        return Err(DemoError::Interrupted(format!(
            "the cluster has not three hosts, but {:?} left",
            left
        )));
    };
    let project = id(cluster
        .client(writer)?
        .post("/api/projects/", &json!({"name": "write 0"}))
        .await?)?;
    let writes = Load::writes(cluster.client(writer)?, &project);
    let requests = Load::requests(cluster.proxy(reader)?, HOSTNAME);
    sleep(LOAD_BEFORE).await;
    let since = Instant::now();
    lab.crash(leader)?;
    screen.done(&format!(
        "{} is off: daemon, containerd and containers died at once",
        node_name(leader)
    ));

    screen.step("three replicas again, on the hosts that are left");
    wait("three replicas that are ready on hosts that are up", async || {
        let nodes = ready_nodes(cluster, writer, service)
            .await
            .map_err(|error| error.to_string())?;
        screen.progress(&format!(
            "{} ready",
            nodes.iter().filter(|node| **node != node_name(leader)).count()
        ));
        let good = nodes.len() == REPLICAS && !nodes.contains(&node_name(leader));
        if good {
            Ok(())
        } else {
            Err(format!("ready on {nodes:?}"))
        }
    })
    .await?;
    figures.replaced = since.elapsed();
    screen.done("");

    screen.step("writes and requests went on");
    sleep(LOAD_AFTER).await;
    let (writes, requests) = (went_on("writes", writes).await?, went_on("requests", requests).await?);
    figures.write_gap = writes.longest_gap;
    figures.request_gap = requests.longest_gap;
    figures.requests = (requests.sent, requests.failed);
    screen.done(&format!(
        "{} writes, {} requests",
        writes.sent - writes.failed,
        requests.sent - requests.failed
    ));
    for host in left {
        show_answers(cluster, host, &[node_name(leader)], screen).await?;
    }
    Ok(())
}

/// The load's tally, if it ended well.
async fn went_on(what: &str, load: Load) -> Result<Tally, DemoError> {
    let tally = load.finish().await;
    let tally = tally.ok_or_else(|| DemoError::Interrupted(format!("the task that sent {what} broke")))?;
    if tally.last_good.elapsed() > LOAD_AFTER {
        let error = &tally.last_error;
        return Err(DemoError::Interrupted(format!(
            "{what} did not go on after the loss of the host: {error}"
        )));
    }
    Ok(tally)
}

/// Waits until the service is ready, showing how far it is.
async fn wait_service(cluster: &Cluster, host: u8, service: &str, screen: &Screen) -> Result<(), DemoError> {
    let api = cluster.client(host)?;
    wait("the service is ready", async || {
        let shown = api
            .get(&format!("/api/services/{service}/"))
            .await
            .map_err(|error| error.to_string())?;
        let status = shown["status"].as_str().unwrap_or_default();
        screen.progress(&format!(
            "{status}, {} of {REPLICAS} replicas run",
            shown["replicas_running"]
        ));
        let reason = &shown["status_reason"];
        if status == "ready" {
            Ok(())
        } else {
            Err(format!("status {status}, reason {reason}"))
        }
    })
    .await
}

/// Asks through one node's proxy until each replica has answered, and shows which did. None may be on a node of `gone`.
async fn show_answers(cluster: &Cluster, host: u8, gone: &[String], screen: &Screen) -> Result<(), DemoError> {
    let url = cluster.url(host, HTTP_PORT)?;
    screen.step(&format!("curl -H 'Host: {HOSTNAME}' {url}/"));
    let proxy = cluster.proxy(host)?;
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    wait("answers of three different replicas", async || {
        let answer = proxy
            .send(Method::GET, "/", &[("Host", HOSTNAME)], None, Duration::from_secs(2))
            .await;
        let answer = answer.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("{}: {}", answer.status, answer.body.trim()));
        }
        let who = answer.json();
        let text = |field: &str| who[field].as_str().unwrap_or_default().to_owned();
        if gone.contains(&text("node")) {
            return Err(format!("an answer from {}, which is off", text("node")));
        }
        seen.insert(text("replica"), text("node"));
        if seen.len() == REPLICAS {
            Ok(())
        } else {
            Err(format!("only {seen:?}"))
        }
    })
    .await?;
    screen.done("");
    for (replica, node) in &seen {
        screen.say(&format!("      {{\"replica\":\"{replica}\",\"node\":\"{node}\",...}}"));
    }
    Ok(())
}

/// The nodes of the service's replicas that are ready, one for each.
async fn ready_nodes(cluster: &Cluster, host: u8, service: &str) -> Result<Vec<String>, ClusterError> {
    let list = cluster
        .client(host)?
        .get(&format!("/api/services/{service}/replicas/"))
        .await?;
    let replicas = list["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ready = replicas.iter().filter(|replica| replica["state"] == "ready");
    Ok(ready
        .filter_map(|replica| replica["node"]["name"].as_str())
        .map(str::to_owned)
        .collect())
}

/// Asks again and again until it is good, or says what was seen last.
async fn wait<T>(what: &str, mut asked: impl AsyncFnMut() -> Result<T, String>) -> Result<T, DemoError> {
    let end = Instant::now() + STEP_DEADLINE;
    loop {
        match asked().await {
            Ok(good) => return Ok(good),
            Err(seen) if Instant::now() > end => {
                return Err(DemoError::NotInTime {
                    what: what.to_owned(),
                    seen,
                });
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

fn id(object: Value) -> Result<String, ClientError> {
    object["id"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| ClientError::NotJson {
            url: "the API".to_owned(),
            body: object.to_string(),
        })
}
