//! `chaos bench secrets`: reading sealed values, and rotating the cluster's key while others write.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::api::servers;
use super::figures::{Figure, median};
use super::http::request;
use super::load::Load;
use super::{BenchError, Effort, cluster, config, head};
use crate::cluster::Cluster;

const NODES: u8 = 3;
/// Items of one secret, and how many values are read.
const VALUES: usize = 1000;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 7;
/// How often other writes are measured before.
const STRETCHES: usize = 5;
/// Clients that write something else meanwhile.
const OTHERS: usize = 8;
const KEYRING: &str = "/api/keyring/";

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
    let mut before = Vec::new();
    for _ in 0..STRETCHES {
        before.push(others(&cluster, &ids, effort)?.run().await?);
    }
    let (took, meanwhile) = rotation(&cluster, &ids, effort).await?;
    let worst = |all: &[Figure]| all.iter().map(|it| it.p99).fold(0.0, f64::max);
    let p99 = |all: &[Figure]| median(&mut all.iter().map(|it| it.p99).collect::<Vec<_>>());
    let failed: u64 = before.iter().chain(&meanwhile).map(|it| it.failed).sum();
    println!(
        "rotation of {} values: {:.1} s; p99 of other writes ({OTHERS} clients, stretches of {} s, median and worst): \
         before {:.1} and {:.1} ms, meanwhile {:.1} and {:.1} ms, ratio of medians {:.2}; failed writes: {failed}",
        effort.objects.div_ceil(VALUES) * VALUES,
        took.as_secs_f64(),
        effort.seconds,
        p99(&before),
        worst(&before),
        p99(&meanwhile),
        worst(&meanwhile),
        p99(&meanwhile) / p99(&before),
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

/// Each read is on record before it is answered; what a record costs shows in as many other writes, measured in turns.
async fn reads(cluster: &Cluster, items: &[String]) -> Result<(), BenchError> {
    let api = cluster.client(1)?;
    let other = format!("/api/configs/{}/", config(cluster, "other").await?);
    let (mut read, mut written) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let all = futures::stream::iter(items).map(|path| api.get(path));
        all.buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await?;
        read.push(began.elapsed().as_secs_f64() * 1000.0);
        let began = Instant::now();
        let all = futures::stream::iter(0..items.len()).map(|n| {
            let (api, path) = (&api, &other);
            async move { api.patch(path, &json!({"name": format!("name {n}")})).await }
        });
        all.buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await?;
        written.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let (read, written) = (median(&mut read), median(&mut written));
    println!(
        "reading {} values, {AT_ONCE} at once, each on record before it is answered: {read:.0} ms; as many other \
         writes: {written:.0} ms; reads beyond that: {:.0} ms (medians of {ROUNDS})",
        items.len(),
        (read - written).max(0.0),
    );
    Ok(())
}

/// Rotates under load: how long it took, and what others had meanwhile, stretch by stretch.
async fn rotation(cluster: &Cluster, ids: &[String], effort: &Effort) -> Result<(Duration, Vec<Figure>), BenchError> {
    let api = cluster.client(2)?;
    let began = Instant::now();
    api.post(&format!("{KEYRING}rotate/"), &json!({})).await?;
    let mut meanwhile = Vec::new();
    while api.get(KEYRING).await?["rotating"] == true {
        meanwhile.push(others(cluster, ids, effort)?.run().await?);
    }
    Ok((began.elapsed(), meanwhile))
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
