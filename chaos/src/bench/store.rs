//! `chaos bench store`: a cluster of one node with very many small resources. What it takes to start with them, how large a
//! snapshot and the process are, and what a snapshot costs those who write meanwhile.

use std::path::Path;
use std::time::{Duration, Instant};

use super::api::servers;
use super::figures::{Figure, median};
use super::http::request;
use super::load::Load;
use super::{BenchError, Effort, cluster, config, head};
use crate::cluster::Cluster;

const HOST: u8 = 1;
/// Clients that make the resources.
const MAKERS: usize = 64;
/// Clients that write while the snapshots are looked at.
const WRITERS: usize = 8;
/// Stretches of writing at most, until there are enough of both kinds.
const STRETCHES: usize = 120;
/// So many stretches with a snapshot in them, and without, say enough.
const ENOUGH: usize = 5;

/// Measures and prints.
pub fn store(effort: &Effort) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Runtime::new().map_err(BenchError::Runtime)?;
    runtime.block_on(all(effort))
}

async fn all(effort: &Effort) -> Result<(), BenchError> {
    head("one node with many small resources");
    let (lab, mut cluster) = cluster(HOST).await?;
    let home = config(&cluster, "home").await?;
    let began = Instant::now();
    let made = fill(&cluster, &home, effort).await?;
    println!(
        "{made} items made through the API in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    print_memory(&cluster, "after they were made")?;

    let folder = lab.disk(HOST).join("data/snapshots");
    stalls(&cluster, &folder, effort).await?;
    print_memory(&cluster, "after writes to them")?;
    println!("snapshot: {} MiB", newest(&folder).1 >> 20);

    for way in ["stopped", "killed"] {
        match way {
            "stopped" => cluster.stop(HOST)?,
            _ => cluster.kill(HOST)?,
        }
        let began = Instant::now();
        cluster.launch(&lab, HOST)?;
        cluster.wait_ready(HOST).await?;
        println!(
            "{way} and started again, until it serves: {:.2} s",
            began.elapsed().as_secs_f64()
        );
        print_memory(&cluster, "after the start")?;
    }
    Ok(())
}

/// Makes at least so many items of one config; how many there are.
async fn fill(cluster: &Cluster, home: &str, effort: &Effort) -> Result<u64, BenchError> {
    let items = format!("/api/configs/{home}/items/");
    let mut made = 0;
    let mut round = 0;
    while made < effort.objects as u64 {
        round += 1;
        let (key, path) = (cluster.key().to_owned(), items.clone());
        let load = Load {
            what: "making items".to_owned(),
            servers: servers(cluster)?,
            clients: MAKERS,
            length: Duration::from_secs(effort.seconds),
            request: Box::new(move |client, server, n| {
                let body = format!(r#"{{"key":"KEY_{round}_{client}_{n}","value":"value {n}"}}"#);
                request("POST", &path, server, Some(&key), &body)
            }),
        };
        load.run().await?;
        made = cluster.client(HOST)?.get(&items).await?["count"]
            .as_u64()
            .unwrap_or_default();
    }
    Ok(made)
}

/// Writes in stretches of a second, and tells those in which a snapshot was finished from those in which none was.
async fn stalls(cluster: &Cluster, folder: &Path, effort: &Effort) -> Result<(), BenchError> {
    let mut ids = Vec::new();
    for client in 0..WRITERS {
        ids.push(config(cluster, &format!("writer {client}")).await?);
    }
    let (mut calm, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..STRETCHES {
        if calm.len() >= ENOUGH && busy.len() >= ENOUGH {
            break;
        }
        let before = is_writing(folder);
        let newest_before = newest(folder);
        let (key, ids) = (cluster.key().to_owned(), ids.clone());
        let load = Load {
            what: "writes".to_owned(),
            servers: servers(cluster)?,
            clients: WRITERS,
            length: Duration::from_secs(effort.seconds.min(1)),
            request: Box::new(move |client, server, n| {
                let path = format!("/api/configs/{}/", ids[client]);
                request(
                    "PATCH",
                    &path,
                    server,
                    Some(&key),
                    &format!(r#"{{"name":"{client} {n}"}}"#),
                )
            }),
        };
        let figure = load.run().await?;
        let touched = before || is_writing(folder) || newest(folder).0 != newest_before.0;
        if touched { &mut busy } else { &mut calm }.push(figure);
    }
    let p99 = |all: &[Figure]| median(&mut all.iter().map(|it| it.p99).collect::<Vec<_>>());
    println!(
        "p99 of writes ({WRITERS} clients, median of stretches of a second): {:.2} ms in {} without a snapshot, {:.2} ms in {} \
         with one, ratio {:.2}",
        p99(&calm),
        calm.len(),
        p99(&busy),
        busy.len(),
        p99(&busy) / p99(&calm),
    );
    Ok(())
}

/// The name of the newest finished snapshot, and its bytes.
fn newest(folder: &Path) -> (String, u64) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let finished = files.filter(|it| it.path().extension().is_some_and(|it| it == "snapshot"));
    let newest = finished.max_by_key(std::fs::DirEntry::file_name);
    newest.map_or_else(Default::default, |it| {
        let bytes = it.metadata().map_or(0, |it| it.len());
        (it.file_name().to_string_lossy().into_owned(), bytes)
    })
}

/// Whether there is a file beside the finished one.
fn is_writing(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|found| found.count() > 1)
}

fn print_memory(cluster: &Cluster, when: &str) -> Result<(), BenchError> {
    let bytes = cluster.daemon(HOST)?.id().resident_bytes().unwrap_or_default();
    println!("resident memory {when}: {} MiB", bytes >> 20);
    Ok(())
}
