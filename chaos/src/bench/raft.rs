//! `chaos bench raft`: durable writes, linearizable reads, memory and the loss of a leader, against etcd.

use std::time::Duration;

use super::api::{peer_load, servers};
use super::etcd::{self, Etcd};
use super::figures::{Figure, columns, median, row};
use super::http::request;
use super::load::Load;
use super::outage;
use super::{BenchError, Effort, cluster, config, head};
use crate::cluster::Cluster;
use crate::lab::Lab;

const NODES: u8 = 3;

/// Measures and prints.
pub fn raft(effort: &Effort) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Runtime::new().map_err(BenchError::Runtime)?;
    runtime.block_on(all(effort))
}

async fn all(effort: &Effort) -> Result<(), BenchError> {
    head("three nodes, clients spread over them, through the REST API (etcd: through its JSON gateway)");
    let peer = if effort.peer { Some(peer(effort).await?) } else { None };
    let (lab, mut cluster) = cluster(NODES).await?;
    let most = effort.clients.iter().copied().max().unwrap_or(1);
    let mut ids = Vec::new();
    for client in 0..most {
        ids.push(config(&cluster, &format!("client {client}")).await?);
    }
    columns();
    let mut at = 0;
    for writes in [true, false] {
        for clients in &effort.clients {
            let figure = own_load(&cluster, &ids, writes, *clients, effort)?.run().await?;
            let what = if writes { "durable writes" } else { "linearizable reads" };
            row(
                what,
                NODES,
                *clients,
                &figure,
                peer.as_ref().and_then(|peer| peer.figures.get(at)),
            );
            at += 1;
        }
    }
    let daemons = cluster.hosts().into_iter();
    let memory: Vec<u64> = daemons
        .filter_map(|host| cluster.daemon(host).ok()?.id().resident_bytes())
        .collect();
    print_memory(&memory, peer.as_ref().map(|peer| peer.memory.as_slice()));

    if effort.soak > 0 {
        soak(&cluster, &ids, effort).await?;
    }
    if effort.kills > 0 {
        let path = format!("/api/configs/{}/", ids[0]);
        let mut member = outage::Own {
            lab: &lab,
            cluster: &mut cluster,
            path,
        };
        let own = outage::measure(&mut member, effort.kills).await?;
        print_outages("goblins", own);
        if let Some(peer) = peer {
            print_outages("etcd", peer.outages);
        }
    }
    Ok(())
}

/// Writes at full load for long; nobody may have thought meanwhile that the leader was gone.
async fn soak(cluster: &Cluster, ids: &[String], effort: &Effort) -> Result<(), BenchError> {
    let before = term(cluster).await?;
    let long = Effort {
        seconds: effort.soak,
        ..effort.clone()
    };
    let figure = own_load(cluster, ids, true, ids.len(), &long)?.run().await?;
    println!(
        "{} s of writes by {} clients: {:.0}/s, p99 {:.1} ms, {} failed; elections: {}",
        effort.soak,
        ids.len(),
        figure.per_second,
        figure.p99,
        figure.failed,
        term(cluster).await? - before,
    );
    Ok(())
}

async fn term(cluster: &Cluster) -> Result<u64, BenchError> {
    let told = cluster.client(1)?.get("/api/cluster/").await?;
    Ok(told["term"].as_u64().unwrap_or_default())
}

fn own_load(
    cluster: &Cluster,
    ids: &[String],
    writes: bool,
    clients: usize,
    effort: &Effort,
) -> Result<Load, BenchError> {
    let (key, ids) = (cluster.key().to_owned(), ids.to_vec());
    let request = move |client: usize, server: &str, n: u64| {
        let path = format!("/api/configs/{}/", ids[client]);
        if writes {
            let body = format!(r#"{{"name":"{n:0200}"}}"#);
            request("PATCH", &path, server, Some(&key), &body)
        } else {
            request("GET", &path, server, Some(&key), "")
        }
    };
    Ok(Load {
        what: (if writes { "writes" } else { "reads" }).to_owned(),
        servers: servers(cluster)?,
        clients,
        length: Duration::from_secs(effort.seconds),
        request: Box::new(request),
    })
}

struct Peer {
    figures: Vec<Figure>,
    memory: Vec<u64>,
    outages: Vec<f64>,
}

async fn peer(effort: &Effort) -> Result<Peer, BenchError> {
    let lab = Lab::up(NODES, None)?;
    let mut etcd = Etcd::start(&lab).await?;
    let mut figures = Vec::new();
    for writes in [true, false] {
        for clients in &effort.clients {
            let request = move |client: usize, server: &str, _| {
                let key = format!("client/{client}");
                if writes {
                    etcd::put(server, &key)
                } else {
                    etcd::get(server, &key)
                }
            };
            let load = peer_load(&etcd, "etcd", *clients, effort.seconds, request);
            figures.push(load.run().await?);
        }
    }
    let memory = etcd.memory();
    let mut member = outage::Peer {
        lab: &lab,
        etcd: &mut etcd,
    };
    let outages = outage::measure(&mut member, effort.kills).await?;
    Ok(Peer {
        figures,
        memory,
        outages,
    })
}

fn print_memory(own: &[u64], peer: Option<&[u64]>) {
    let show = |bytes: &[u64]| {
        let mib: Vec<String> = bytes.iter().map(|bytes| (bytes >> 20).to_string()).collect();
        mib.join(", ")
    };
    let peer = peer.map_or(String::new(), |peer| format!("; etcd {}", show(peer)));
    println!(
        "resident memory a node under that load, MiB: goblins {}{peer}",
        show(own)
    );
}

fn print_outages(who: &str, mut outages: Vec<f64>) {
    let median = median(&mut outages);
    let (least, most) = (outages.first().unwrap_or(&0.0), outages.last().unwrap_or(&0.0));
    println!(
        "outage a writing client feels when the leader is killed, {who}: median {median:.2} s of {} ({least:.2} to {most:.2})",
        outages.len()
    );
}
