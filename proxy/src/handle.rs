//! The proxy as its daemon sees it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use model::{ReplicaId, Revision};
use planner::RouteTable;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ejection::Ejections;
use crate::flight::Flights;
use crate::hop::Peers;
use crate::worker::{self, Door};

/// Connections that the kernel holds for us while all workers are busy.
const BACKLOG: i32 = 4096;

/// How a proxy works.
pub struct ProxyConfig {
    /// Where it listens for plain HTTP from clients, and for TLS from other proxies.
    pub http_addr: SocketAddr,
    /// Where it listens for HTTPS, if it does.
    pub https: Option<Https>,
    /// Sockets that somebody else keeps open.
    pub kept: Kept,
    /// Threads, each with a listener of its own, or a share of one that is kept.
    pub workers: usize,
    /// Proves that other proxies belong to the cluster, and this one to them.
    pub peers: Arc<dyn Peers>,
}

/// Sockets that listen at the addresses of a proxy, do not block, and stay open when it ends: what is in their queues then
/// waits for the next one.
#[derive(Debug, Default)]
pub struct Kept {
    /// For plain HTTP.
    pub http: Option<TcpListener>,
    /// For HTTPS.
    pub https: Option<TcpListener>,
}

/// How a proxy serves HTTPS.
#[derive(Clone, Debug)]
pub struct Https {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Certificates and protocol versions.
    pub tls: Arc<ServerConfig>,
}

/// Why a proxy did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is not free, or not of this host.
    #[error("cannot listen for requests on {addr}; free the port, or choose another --http-addr or --https-addr")]
    Listen {
        /// Where it tried.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a proxy thread")]
    Thread(#[source] io::Error),
}

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) table: ArcSwap<RouteTable>,
    /// Told of each new table.
    pub(crate) published: watch::Sender<Revision>,
    pub(crate) flights: Flights,
    pub(crate) ejections: Ejections,
    pub(crate) peers: Arc<dyn Peers>,
    /// The connections. No worker stops listening while another still talks to somebody: with its listener it would
    /// close connections that the kernel was just about to hand to it.
    pub(crate) open: TaskTracker,
}

/// A running proxy. When this is dropped, it stops at once.
pub struct ProxyHandle {
    shared: Arc<Shared>,
    stop: CancellationToken,
    /// Closed when the last worker has ended.
    ended: watch::Receiver<()>,
}

impl ProxyHandle {
    /// Listens and answers from now on.
    ///
    /// # Errors
    /// When the address cannot be listened on, or a thread not be started.
    pub fn start(config: ProxyConfig, table: RouteTable) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            published: watch::Sender::new(table.revision),
            table: ArcSwap::from_pointee(table),
            flights: Flights::default(),
            ejections: Ejections::default(),
            peers: Arc::clone(&config.peers),
            open: TaskTracker::new(),
        });
        let stop = CancellationToken::new();
        let (alive, ended) = watch::channel(());
        let alive = Arc::new(alive);
        for n in 0..config.workers.max(1) {
            let mut doors = vec![door(config.http_addr, config.kept.http.as_ref(), None)?];
            if let Some(https) = &config.https {
                let tls = Some(Arc::clone(&https.tls));
                doors.push(door(https.addr, config.kept.https.as_ref(), tls)?);
            }
            let (shared, stop, alive) = (Arc::clone(&shared), stop.clone(), Arc::clone(&alive));
            let thread = std::thread::Builder::new().name(format!("proxy-{n}"));
            let work = move || {
                worker::run(n, doors, shared, stop);
                drop(alive);
            };
            thread.spawn(work).map_err(StartError::Thread)?;
        }
        Ok(Self { shared, stop, ended })
    }

    /// Answers by this table from now on. One that is older than the current one is not taken.
    pub fn publish(&self, table: RouteTable) {
        let table = Arc::new(table);
        let revision = table.revision;
        self.shared.table.rcu(|now| {
            if now.revision > table.revision {
                Arc::clone(now)
            } else {
                Arc::clone(&table)
            }
        });
        self.shared.published.send_if_modified(|now| {
            let newer = revision > *now;
            *now = revision.max(*now);
            newer
        });
        self.shared.flights.forget_idle();
    }

    /// Sends nothing more to a replica of this host, whoever asks, and waits until its requests in flight have ended,
    /// and the connections that have changed their protocol, such as WebSockets, which are given longer. False if they
    /// had not after `limit` and `tunnels`, both counted from now.
    pub async fn drain(&self, replica: ReplicaId, limit: Duration, tunnels: Duration) -> bool {
        self.shared.flights.drain(replica, limit, tunnels).await
    }

    /// Takes a drain back: the replica was started again and may be sent to once the table says so.
    pub fn resume(&self, replica: ReplicaId) {
        self.shared.flights.resume(replica);
    }

    /// Takes no new connections, lets requests in flight end for at most `limit`, and stops. Connections that are idle
    /// are not cut at once: a request may be on its way on them, which is answered, and told that it was the last.
    pub async fn shutdown(&self, limit: Duration) {
        self.stop.cancel();
        let mut ended = self.ended.clone();
        // The channel never carries a value; it closes when the last worker is gone.
        let _ = tokio::time::timeout(limit, async move { while ended.changed().await.is_ok() {} }).await;
    }
}

impl Drop for ProxyHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Where a worker takes connections: its share of a socket that is kept, or a listener of its own.
fn door(addr: SocketAddr, kept: Option<&TcpListener>, tls: Option<Arc<ServerConfig>>) -> Result<Door, StartError> {
    let listener = match kept {
        Some(kept) => kept.try_clone().map_err(|source| StartError::Listen { addr, source })?,
        None => listen(addr)?,
    };
    Ok(Door {
        listener,
        is_kept: kept.is_some(),
        tls,
    })
}

/// Each worker has a listener of its own on the same port; the kernel spreads connections over them.
fn listen(addr: SocketAddr) -> Result<TcpListener, StartError> {
    let open = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    open()
        .map(Into::into)
        .map_err(|source| StartError::Listen { addr, source })
}
