//! `chaos bench api`: what the REST API does a second, on one node and on three.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};

use super::etcd::{self, Etcd};
use super::figures::{Figure, columns, row};
use super::http::request;
use super::load::Load;
use super::{BenchError, Effort, cluster, config, head};
use crate::cluster::{API_PORT, Cluster};
use crate::lab::Lab;

/// What is measured. Each has its like in etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Create,
    Patch,
    Get,
    List,
}

impl Work {
    const ALL: [Self; 4] = [Self::Create, Self::Patch, Self::Get, Self::List];

    fn word(self) -> &'static str {
        match self {
            Self::Create => "create a config",
            Self::Patch => "patch a config",
            Self::Get => "get a config",
            Self::List => "list a page of 20",
        }
    }
}

/// Measures and prints.
pub fn api(effort: &Effort) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Runtime::new().map_err(BenchError::Runtime)?;
    head("REST API, HTTP/1.1, a key checked for every request, linearizable reads");
    columns();
    for nodes in [1, 3] {
        runtime.block_on(on(nodes, effort))?;
    }
    println!(
        "etcd: put (create, patch), range of a key (get), range of 20 (list), through its JSON gateway, without keys"
    );
    Ok(())
}

async fn on(nodes: u8, effort: &Effort) -> Result<(), BenchError> {
    // One after the other, so that neither takes the other's processor or disk.
    let peers = if effort.peer {
        peer(nodes, effort).await?
    } else {
        Vec::new()
    };
    let (_lab, cluster) = cluster(nodes).await?;
    fill(&cluster, effort.objects).await?;
    let mut at = 0;
    for work in Work::ALL {
        for clients in &effort.clients {
            let figure = own_load(&cluster, work, *clients, effort).await?.run().await?;
            row(work.word(), nodes, *clients, &figure, peers.get(at));
            at += 1;
        }
    }
    Ok(())
}

/// The API's addresses.
pub(super) fn servers(cluster: &Cluster) -> Result<Vec<String>, BenchError> {
    let hosts = cluster.hosts().into_iter();
    let urls: Result<Vec<_>, _> = hosts.map(|host| cluster.url(host, API_PORT)).collect();
    Ok(urls?
        .into_iter()
        .map(|url| url.trim_start_matches("http://").to_owned())
        .collect())
}

async fn own_load(cluster: &Cluster, work: Work, clients: usize, effort: &Effort) -> Result<Load, BenchError> {
    let key = cluster.key().to_owned();
    let mut ids = Vec::new();
    if matches!(work, Work::Patch | Work::Get) {
        for client in 0..clients {
            ids.push(config(cluster, &format!("{work:?} {clients} {client}")).await?);
        }
    }
    let request = move |client: usize, server: &str, n: u64| {
        let send = |method, path: &str, body: &str| request(method, path, server, Some(&key), body);
        let named = format!(r#"{{"name":"{work:?} {clients} {client} {n}"}}"#);
        match work {
            Work::Create => send("POST", "/api/configs/", &named),
            Work::Patch => send("PATCH", &format!("/api/configs/{}/", ids[client]), &named),
            Work::Get => send("GET", &format!("/api/configs/{}/", ids[client]), ""),
            Work::List => send("GET", &format!("/api/configs/?page={}", n % 100 + 1), ""),
        }
    };
    Ok(Load {
        what: work.word().to_owned(),
        servers: servers(cluster)?,
        clients,
        length: Duration::from_secs(effort.seconds),
        request: Box::new(request),
    })
}

/// Makes the objects that are there before anything is measured.
async fn fill(cluster: &Cluster, objects: usize) -> Result<(), BenchError> {
    let api = cluster.client(1)?;
    let made = futures::stream::iter(0..objects).map(|n| {
        let api = &api;
        async move {
            api.post("/api/configs/", &serde_json::json!({"name": format!("filler {n}")}))
                .await
        }
    });
    made.buffer_unordered(64).try_for_each(async |_| Ok(())).await?;
    Ok(())
}

async fn peer(nodes: u8, effort: &Effort) -> Result<Vec<Figure>, BenchError> {
    let lab = Lab::up(nodes, None)?;
    let etcd = Etcd::start(&lab).await?;
    let filler = |client: usize, server: &str, n: u64| etcd::put(server, &format!("filler/{client}/{n}"));
    peer_load(&etcd, "filling etcd", 64, 3, filler).run().await?;
    let mut figures = Vec::new();
    for work in Work::ALL {
        for clients in &effort.clients {
            let request = move |client: usize, server: &str, n: u64| match work {
                Work::Create => etcd::put(server, &format!("created/{client}/{n}")),
                Work::Patch => etcd::put(server, &format!("filler/{client}/0")),
                Work::Get => etcd::get(server, &format!("filler/{client}/0")),
                Work::List => etcd::list(server, "filler/"),
            };
            let load = peer_load(&etcd, "etcd", *clients, effort.seconds, request);
            figures.push(load.run().await?);
        }
    }
    Ok(figures)
}

/// A load on the peer.
pub(super) fn peer_load(
    etcd: &Etcd,
    what: &str,
    clients: usize,
    seconds: u64,
    request: impl Fn(usize, &str, u64) -> Vec<u8> + Send + 'static,
) -> Load {
    Load {
        what: what.to_owned(),
        servers: etcd.servers().to_vec(),
        clients,
        length: Duration::from_secs(seconds),
        request: Box::new(request),
    }
}
