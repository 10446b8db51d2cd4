//! What is done to a service while its clients go on.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::{Away, Outcome, REPLICAS, Stage, StageError};
use crate::cluster::node_name;
use crate::image::Variant;
use crate::load::Load;

/// How long the load goes on before and after, so that what happens can be told from it.
const BEFORE_AND_AFTER: Duration = Duration::from_secs(1);
/// For a command on a host.
const COMMAND: Duration = Duration::from_secs(20);

/// A load, and since when something is done under it.
struct Under {
    load: Load,
    since: Instant,
    what: String,
    away: Vec<Away>,
}

impl Under {
    async fn load(stage: &Stage, what: &str) -> Self {
        let load = stage.load();
        sleep(BEFORE_AND_AFTER).await;
        Self {
            load,
            since: Instant::now(),
            what: what.to_owned(),
            away: Vec::new(),
        }
    }

    async fn done(self) -> Result<Outcome, StageError> {
        let took = self.since.elapsed();
        sleep(BEFORE_AND_AFTER).await;
        let report = self.load.finish().await.ok_or(StageError::LoadBroke)?;
        Ok(Outcome {
            what: self.what,
            took,
            report,
            away: self.away,
        })
    }
}

/// A new image, replica by replica.
pub async fn rolling_update(stage: &Stage, tag: &str) -> Result<Outcome, StageError> {
    let image = stage.image(tag, &Variant::server(tag)).await?;
    let under = Under::load(stage, "rolling update of 12 replicas").await;
    stage.patch(1, &json!({"image": image})).await?;
    stage.wait_ready(2, REPLICAS).await?;
    under.done().await
}

/// A new image whose program ends at once: the version before goes on serving.
pub async fn failing_update(stage: &Stage) -> Result<Outcome, StageError> {
    let image = stage.image("bad", &Variant::exits_at_once(3)).await?;
    let before = stage.shown(1).await?;
    let under = Under::load(stage, "failing update").await;
    stage.patch(2, &json!({"image": image})).await?;
    stage
        .wait("the update has failed and nothing of it is left", async || {
            let replicas = stage.replicas(3).await.map_err(|error| error.to_string())?;
            let shown = stage.shown(3).await.map_err(|error| error.to_string())?;
            let over = shown["status"] == "error" || shown["image"] == before["image"] && shown["status"] == "ready";
            let good = replicas.len() == REPLICAS && replicas.iter().all(|it| it.state == "ready");
            if over && good {
                Ok(())
            } else {
                Err(format!("{shown} {replicas:?}"))
            }
        })
        .await?;
    under.done().await
}

/// Back to the first version.
pub async fn rollback(stage: &Stage) -> Result<Outcome, StageError> {
    let api = stage.api(3)?;
    let path = format!("/api/services/{}/deployments/", stage.service);
    let all = stage.all(3, &path).await?;
    let first = all
        .iter()
        .min_by_key(|it| it["version_number"].as_u64())
        .cloned()
        .unwrap_or(Value::Null);
    let under = Under::load(stage, "rollback").await;
    let path = format!(
        "/api/deployments/{}/rollback/",
        first["id"].as_str().unwrap_or_default()
    );
    api.post(&path, &json!({})).await?;
    stage.wait_ready(2, REPLICAS).await?;
    under.done().await
}

/// Fewer replicas, then as many as before.
pub async fn scale(stage: &Stage, to: usize) -> Result<Outcome, StageError> {
    let under = Under::load(stage, &format!("scale to {to} and back")).await;
    for replicas in [to, REPLICAS] {
        stage.patch(1, &json!({"replicas_target": replicas})).await?;
        stage.wait_ready(2, replicas).await?;
    }
    under.done().await
}

/// A node is emptied, and used again.
pub async fn drain(stage: &Stage, host: u8) -> Result<Outcome, StageError> {
    let under = Under::load(stage, "node drain").await;
    stage.patch_node(1, host, &json!({"draining": true})).await?;
    let name = node_name(host);
    stage
        .wait("the node is empty and all replicas are ready", async || {
            let replicas = stage.replicas(1).await.map_err(|error| error.to_string())?;
            let good = replicas.len() == REPLICAS && replicas.iter().all(|it| it.state == "ready" && it.node != name);
            if good { Ok(()) } else { Err(format!("{replicas:?}")) }
        })
        .await?;
    let outcome = under.done().await?;
    stage.patch_node(1, host, &json!({"draining": false})).await?;
    Ok(outcome)
}

/// SIGTERM and a start of every daemon, one after the other, as an upgrade does. Containers are kept.
pub async fn restart_each(stage: &mut Stage) -> Result<Outcome, StageError> {
    let mut under = Under::load(stage, "restart of every daemon").await;
    for host in stage.hosts() {
        let from = under.load.elapsed();
        block_in_place(|| stage.cluster.stop(host))?;
        back(stage, host, from, &mut under).await?;
    }
    stage.wait_ready(1, REPLICAS).await?;
    under.done().await
}

/// SIGKILL to a daemon, and a start. Containers are kept.
pub async fn kill_daemon(stage: &mut Stage, host: u8) -> Result<Outcome, StageError> {
    let mut under = Under::load(stage, "kill -9 of a daemon").await;
    let from = under.load.elapsed();
    block_in_place(|| stage.cluster.kill(host))?;
    back(stage, host, from, &mut under).await?;
    stage.wait_ready(host, REPLICAS).await?;
    under.done().await
}

/// Starts the daemon of a host again, and waits until it serves.
async fn back(stage: &mut Stage, host: u8, from: Duration, under: &mut Under) -> Result<(), StageError> {
    stage.cluster.launch(&stage.lab, host)?;
    let proxy = stage.proxy(host);
    stage
        .wait("the proxy listens", async || {
            TcpStream::connect(proxy)
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        })
        .await?;
    // A socket that is kept takes connections all the time.
    if !stage.cluster.keeps_sockets() {
        let until = under.load.elapsed();
        under.away.push(Away { host, from, until });
    }
    stage.cluster.wait_ready(host).await?;
    stage.wait_proxy(host).await
}

/// SIGKILL to the containerd of a host. Its daemon starts another.
pub async fn kill_containerd(stage: &Stage, host: u8) -> Result<Outcome, StageError> {
    let under = Under::load(stage, "kill of a containerd").await;
    stage.lab.exec(host, &["pkill", "-KILL", "-x", "containerd"], COMMAND)?;
    stage
        .wait("another containerd runs", async || {
            let found = stage.lab.exec(host, &["pgrep", "-x", "containerd"], COMMAND);
            match found {
                Ok(output) if output.status.success() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
    stage.wait_ready(host, REPLICAS).await?;
    under.done().await
}

/// Power loss of a host. What is waited for is that all replicas are ready on those that are left.
pub async fn lose_host(stage: &mut Stage, host: u8) -> Result<Outcome, StageError> {
    let mut under = Under::load(stage, "power loss of a host").await;
    let from = under.load.elapsed();
    stage.lab.crash(host)?;
    let until = Duration::MAX;
    under.away.push(Away { host, from, until });
    let asked = stage.hosts().into_iter().find(|it| *it != host).unwrap_or(1);
    let name = node_name(host);
    stage
        .wait("all replicas are ready on the hosts that are left", async || {
            let spread = stage.spread(asked).await.map_err(|error| error.to_string())?;
            let left = spread.iter().filter(|(node, _)| **node != name);
            let good = left.map(|(_, count)| count).sum::<usize>() == REPLICAS;
            if good { Ok(()) } else { Err(format!("{spread:?}")) }
        })
        .await?;
    under.done().await
}

/// The host is switched on again. What is waited for is that it runs its share once more.
pub async fn return_host(stage: &mut Stage, host: u8) -> Result<Outcome, StageError> {
    stage.lab.boot(host)?;
    let mut under = Under::load(stage, "return of a host").await;
    back(stage, host, Duration::ZERO, &mut under).await?;
    let share = REPLICAS / stage.hosts().len();
    stage
        .wait("every host runs its share", async || {
            let spread = stage.spread(host).await.map_err(|error| error.to_string())?;
            let good = spread.len() == stage.hosts().len() && spread.values().all(|it| *it == share);
            if good { Ok(()) } else { Err(format!("{spread:?}")) }
        })
        .await?;
    stage.wait_ready(host, REPLICAS).await?;
    under.done().await
}
