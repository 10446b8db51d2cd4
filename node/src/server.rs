//! A node from start to stop: open what can fail first, then wire the rooms together, then wait for the end.

mod certificate;
mod greeting;
mod hosting;
mod http;
mod sockets;
mod stop;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use model::{Capacity, NodeDraft};
use proxy::{Kept, ProxyConfig, ProxyHandle};
use raft::{Cluster, Start};
use storage::DataDir;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use uuid::Uuid;

use crate::adapters::{Control, ProxyPeers, Seals};
use crate::backup::Backups;
use crate::bootstrap::FirstKey;
use crate::hosts::{HostSlot, Hosts};
use crate::images::{Others, Shelf};
use crate::keyring::{Keyrings, Slot};
use crate::settings::{Birth, RateLimit, Settings, addresses};
use crate::{controllers, feeds, telemetry};
use hosting::Hosting;
use sockets::Sockets;

/// Name of the account that a new cluster begins with.
const ADMIN: &str = "admin";
/// What proxies of a cluster speak with each other: HTTP/1.1 that names a replica.
const PROXY_PROTOCOL: &[u8] = b"goblins-proxy/1";
/// How long requests to the API may take to end when the daemon stops.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long those to replicas may: as long as when a replica stops.
const LAST_FORWARDED: Duration = Duration::from_secs(30);

/// Runs a node until it is told to stop, or cannot go on.
pub(crate) fn run(settings: Settings) -> Result<()> {
    telemetry::init(&settings.log, settings.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let result = runtime.block_on(Node::run(settings));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// This node is no member of its cluster any more, and runs nothing; starting it again changes nothing.
#[derive(Debug, Error)]
#[error("this node cannot go on: {0}")]
pub(crate) struct Departed(String);

/// A running node.
struct Node {
    cluster: Cluster,
    proxy: Arc<ProxyHandle>,
    hosting: Option<Hosting>,
    tasks: JoinSet<()>,
    api: tokio::task::JoinHandle<std::io::Result<()>>,
    stop_api: CancellationToken,
}

impl Node {
    async fn run(settings: Settings) -> Result<()> {
        let mut signals = stop::Signals::listen()?;
        let node = tokio::select! {
            started = Self::start(&settings) => started?,
            signal = signals.next() => bail!("stopped by {signal} before it had started"),
        };
        let reason = tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal, "stopping; containers go on");
                None
            }
            reason = node.cluster.fatal() => Some(reason),
        };
        let departs = node.cluster.is_removed();
        if departs {
            tracing::warn!("this node is no member of its cluster any more: its containers are stopped, then it ends");
        }
        let has_departed = tokio::select! {
            cleared = node.stop(departs) => cleared,
            signal = signals.next() => {
                tracing::warn!(signal, "stopping at once");
                false
            }
        };
        match reason {
            None => Ok(()),
            Some(reason) if has_departed => Err(Departed(reason).into()),
            Some(reason) => bail!("this node cannot go on: {reason}"),
        }
    }

    async fn start(settings: &Settings) -> Result<Self> {
        let mut sockets = Sockets::handed_over()?;
        let api_listener = TcpListener::from_std(sockets.take("--api-addr", settings.api_addr)?)
            .context("cannot use the socket of the API")?;
        addresses::require_free("--peer-addr", settings.peer_addr)?;
        let http = sockets.kept_or_free("--http-addr", settings.http_addr)?;
        let https = match settings.https_addr {
            Some(addr) => sockets.kept_or_free("--https-addr", addr)?,
            None => None,
        };
        sockets.all_are_taken(settings)?;
        // containerd's own folder lies in it and is made first.
        DataDir::check(&settings.data_dir)?;
        let supervisor = match &settings.containers {
            Some(containers) => hosting::supervise(settings, containers).await?,
            None => None,
        };
        let draft = draft(settings);
        let boot = draft.boot;
        let (slot, shelf, host_slot) = (Slot::default(), Shelf::default(), HostSlot::default());
        let services = slot
            .routes()
            .add_service(shelf.service())
            .add_service(host_slot.server());
        let (cluster, first_key) = join_or_found(settings, draft, services).await?;
        slot.fill(cluster.keyring());
        let keyrings = Arc::new(Keyrings::new(cluster.clone()));
        // At once: what comes next may fail, and the key would be lost.
        if let Some(key) = first_key.filter(|_| settings.bootstrap_key_file.is_none()) {
            key.print();
        }
        tracing::info!(node = %cluster.node_id(), cluster = %cluster.cluster_id(), "takes part in its cluster");
        let proxy = ProxyHandle::start(
            ProxyConfig {
                http_addr: settings.http_addr,
                https: certificate::https(settings)?,
                kept: Kept { http, https },
                workers: workers(),
                peers: Arc::new(ProxyPeers(cluster.peer_tls(PROXY_PROTOCOL))),
            },
            feeds::first_table(&cluster).await,
        )
        .context("cannot start the proxy")?;
        let proxy = Arc::new(proxy);
        let mut tasks = JoinSet::new();
        // It ends with the cluster, so that the proxy of a node that stops is not the last to hear of a change.
        drop(tokio::spawn(feeds::program_routes(cluster.clone(), Arc::clone(&proxy))));
        tasks.spawn(controllers::run(cluster.clone()));
        let (follower, leader) = (Arc::clone(&keyrings), Arc::clone(&keyrings));
        tasks.spawn(async move { follower.follow().await });
        tasks.spawn(async move { leader.lead().await });
        let places = (&shelf, host_slot.local());
        let hosting = hosting::start(settings, supervisor, &cluster, places, &proxy, boot, &mut tasks).await?;
        let hosts = Hosts::new(cluster.clone(), host_slot.local());
        let (api, stop_api) = serve_api(settings, &cluster, keyrings, (shelf, hosts), api_listener);
        greeting::say(settings);
        Ok(Self {
            cluster,
            proxy,
            hosting,
            tasks,
            api,
            stop_api,
        })
    }

    /// First no new work, then leadership to another, then what is under way. Containers are left alone, unless this
    /// node departs: then others run in their place, and nobody would ever stop them. Answers whether it has, with nothing
    /// left behind.
    async fn stop(mut self, departs: bool) -> bool {
        self.stop_api.cancel();
        let has_departed = match self.hosting.take() {
            Some(hosting) if departs => hosting.clear().await,
            Some(hosting) => {
                hosting.stop().await;
                false
            }
            None => departs,
        };
        self.tasks.shutdown().await;
        let _ = tokio::time::timeout(LAST_REQUESTS, &mut self.api).await;
        self.cluster.shutdown().await;
        self.proxy.shutdown(LAST_FORWARDED).await;
        has_departed
    }
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn draft(settings: &Settings) -> NodeDraft {
    let capacity = if settings.containers.is_some() {
        agent::capacity()
    } else {
        Capacity::default()
    };
    NodeDraft {
        name: settings.node_name.clone(),
        peer_addr: settings.advertised(settings.peer_addr),
        api_addr: settings.advertised(settings.api_addr),
        http_addr: settings.advertised(settings.http_addr),
        runs_agent: settings.containers.is_some(),
        version: model::leveled_version(env!("CARGO_PKG_VERSION")),
        boot: Uuid::new_v4(),
        capacity,
    }
}

fn timing(settings: &Settings) -> raft::Timing {
    let usual = raft::Timing::default();
    raft::Timing {
        snapshot_after: settings.snapshot_entries,
        read_lease: if settings.read_lease.is_on() {
            raft::READ_LEASE_MAX
        } else {
            Duration::ZERO
        },
        // As large a part of the log as usual.
        keep_after_snapshot: settings.snapshot_entries * usual.keep_after_snapshot / usual.snapshot_after,
        ..usual
    }
}

/// Opens the folder and takes part. The key is that of a cluster that was founded just now.
async fn join_or_found(settings: &Settings, draft: NodeDraft, services: Routes) -> Result<(Cluster, Option<FirstKey>)> {
    let is_known = settings.data_dir.join("identity.json").exists();
    let key = (settings.birth == Birth::Found && !is_known).then(FirstKey::random);
    if let (Some(key), Some(path)) = (&key, &settings.bootstrap_key_file) {
        key.write(path)?;
    }
    let start = match (&settings.birth, &key) {
        (Birth::Join { addr, token }, _) => Start::Join {
            addr: addr.clone(),
            token: token.clone(),
        },
        (Birth::Found, Some(key)) => Start::New {
            admin: ADMIN.to_owned(),
            key_hash: key.hash(),
        },
        (Birth::Found, None) => Start::Existing,
    };
    let config = raft::Config {
        data_dir: settings.data_dir.clone(),
        listen: settings.peer_addr,
        draft,
        start,
        timing: timing(settings),
        services: Some(services),
    };
    let cluster = Cluster::start(config).await?;
    let alone = cluster.status().voters.iter().all(|it| it.id == cluster.node_id());
    if key.is_none() && alone && cluster.local().cluster().is_none() && settings.birth == Birth::Found {
        cluster.stop().await;
        bail!(
            "{} holds a cluster whose founding was cut short; nothing has been kept in it yet: empty the folder and start \
             again",
            settings.data_dir.display()
        );
    }
    Ok((cluster, key))
}

fn serve_api(
    settings: &Settings,
    cluster: &Cluster,
    keyrings: Arc<Keyrings>,
    (shelf, hosts): (Shelf, Hosts),
    listener: TcpListener,
) -> (tokio::task::JoinHandle<std::io::Result<()>>, CancellationToken) {
    let limit = match settings.api_rate_limit {
        RateLimit::Off => api::RateLimit::Off,
        RateLimit::PerHour(n) => api::RateLimit::PerHour(n),
    };
    let stop = CancellationToken::new();
    let config = api::ApiConfig {
        rate_limit: limit,
        secret_limit: limit,
        stop: stop.clone(),
        ..api::ApiConfig::default()
    };
    let sealer = Arc::new(Seals(cluster.keyring(), Arc::clone(&keyrings)));
    let others = Others::new(cluster.clone(), shelf);
    let backups = Backups::new(cluster.clone(), Arc::clone(&keyrings));
    let router = api::router(
        Arc::new(Control(cluster.clone(), keyrings, backups, others, hosts)),
        sealer,
        config,
    );
    let task = tokio::spawn(http::serve(listener, router, stop.clone()));
    (task, stop)
}

/// How a person reaches an address: `0.0.0.0` is no place to point a browser to.
fn reachable(settings: &Settings, addr: SocketAddr) -> String {
    format!("http://{}", settings.advertised(addr))
}
