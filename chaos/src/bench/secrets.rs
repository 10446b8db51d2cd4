//! `chaos bench secrets`: reading sealed values, and rotating the cluster's key while others write.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::api::servers;
use super::figures::Figure;
use super::http::request;
use super::load::Load;
use super::{BenchError, Effort, cluster, config, head};
use crate::cluster::Cluster;

const NODES: u8 = 3;
/// Items of one secret, and how many values are read.
const VALUES: usize = 1000;
const AT_ONCE: usize = 64;
/// Clients that write something else meanwhile.
const OTHERS: usize = 8;
const ROTATIONS: &str = "/api/cluster/keyring/";

/// Measures and prints.
pub fn secrets(effort: &Effort) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Runtime::new().map_err(BenchError::Runtime)?;
    runtime.block_on(all(effort))
}

async fn all(effort: &Effort) -> Result<(), BenchError> {
    head("sealed values on three nodes");
    let (_lab, cluster) = cluster(NODES).await?;
    let items = secret(&cluster, 0).await?;
    reads(&cluster, &items).await?;
    for n in 1..effort.objects.div_ceil(VALUES) {
        secret(&cluster, n).await?;
    }
    let mut ids = Vec::new();
    for client in 0..OTHERS {
        ids.push(config(&cluster, &format!("other {client}")).await?);
    }
    let before = others(&cluster, &ids, effort)?.run().await?;
    let (took, worst) = rotation(&cluster, &ids, effort).await?;
    println!(
        "rotation of {} values: {:.1} s; p99 of other writes ({OTHERS} clients): {:.1} ms before, {:.1} ms at worst while \
         it went on, ratio {:.2}; failed writes: {}",
        effort.objects.div_ceil(VALUES) * VALUES,
        took.as_secs_f64(),
        before.p99,
        worst.p99,
        worst.p99 / before.p99,
        before.failed + worst.failed,
    );
    Ok(())
}

/// A secret with so many items; gives their paths.
async fn secret(cluster: &Cluster, n: usize) -> Result<Vec<String>, BenchError> {
    let api = cluster.client(1)?;
    let made = api
        .post("/api/secrets/", &json!({"name": format!("secret {n}")}))
        .await?;
    let items = format!("/api/secrets/{}/items/", text(&made["id"]));
    let made = futures::stream::iter(0..VALUES).map(|n| {
        let (api, items) = (&api, &items);
        async move {
            let body = json!({"key": format!("KEY_{n}"), "value": format!("value {n} {}", "x".repeat(50))});
            let made = api.post(items, &body).await?;
            Ok::<_, BenchError>(format!("{items}{}/", text(&made["id"])))
        }
    });
    made.buffer_unordered(AT_ONCE).try_collect().await
}

/// Each read is on record before it is answered; what a record costs shows in as many other writes.
async fn reads(cluster: &Cluster, items: &[String]) -> Result<(), BenchError> {
    let api = cluster.client(1)?;
    let began = Instant::now();
    let reads = futures::stream::iter(items).map(|path| api.get(path));
    reads.buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await?;
    let reads = began.elapsed();
    let other = config(cluster, "other").await?;
    let path = format!("/api/configs/{other}/");
    let began = Instant::now();
    let writes = futures::stream::iter(0..items.len()).map(|n| {
        let (api, path) = (&api, &path);
        async move { api.patch(path, &json!({"name": format!("name {n}")})).await }
    });
    writes.buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await?;
    let writes = began.elapsed();
    println!(
        "reading {} values, {AT_ONCE} at once: {} ms, each on record before it is answered; as many other writes: {} ms; \
         reads beyond that: {} ms",
        items.len(),
        reads.as_millis(),
        writes.as_millis(),
        reads.saturating_sub(writes).as_millis(),
    );
    Ok(())
}

/// Rotates under load: how long it took, and the worst stretch that others had meanwhile.
async fn rotation(cluster: &Cluster, ids: &[String], effort: &Effort) -> Result<(Duration, Figure), BenchError> {
    let api = cluster.client(2)?;
    let began = Instant::now();
    api.post(&format!("{ROTATIONS}rotate/"), &json!({})).await?;
    let mut worst: Option<Figure> = None;
    let ended = async {
        while api.get(ROTATIONS).await?["is_rotating"] != false {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok::<_, BenchError>(began.elapsed())
    };
    tokio::pin!(ended);
    loop {
        tokio::select! {
            took = &mut ended => return Ok((took?, worst.unwrap_or(Figure::of(Vec::new(), began.elapsed(), 0)))),
            figure = others(cluster, ids, effort)?.run() => {
                let figure = figure?;
                if worst.as_ref().is_none_or(|it| it.p99 < figure.p99) {
                    worst = Some(figure);
                }
            }
        }
    }
}

/// Writes of something else, on all nodes.
fn others(cluster: &Cluster, ids: &[String], effort: &Effort) -> Result<Load, BenchError> {
    let (key, ids) = (cluster.key().to_owned(), ids.to_vec());
    Ok(Load {
        what: "other writes".to_owned(),
        servers: servers(cluster)?,
        clients: OTHERS,
        length: Duration::from_secs(effort.seconds),
        request: Box::new(move |client, server, n| {
            let body = format!(r#"{{"name":"{n}"}}"#);
            request(
                "PATCH",
                &format!("/api/configs/{}/", ids[client]),
                server,
                Some(&key),
                &body,
            )
        }),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
