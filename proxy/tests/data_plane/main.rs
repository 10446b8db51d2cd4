//! The proxy over real TCP: clients, proxies and backends are sockets on loopback.

mod backend;
mod client;
mod drain;
mod farewell;
mod hop;
mod kept;
mod peers;
mod retry;
mod routing;
mod tables;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use crate::peers::FakePeers;
use model::{NodeId, ReplicaId, Revision, RouteId, ServiceId};
use planner::{Backend, HostRoutes, PathRoute, RouteTable, Target};
use proxy::{Kept, ProxyConfig, ProxyHandle};
use uuid::Uuid;

/// All proxies of a test are of one cluster, where it says nothing else.
static PEERS: LazyLock<Arc<FakePeers>> = LazyLock::new(|| Arc::new(FakePeers::new()));
const HOST: &str = "web.test";

/// A proxy on a free port.
fn proxy(table: RouteTable) -> (ProxyHandle, SocketAddr) {
    let addr = free_address();
    let config = ProxyConfig {
        http_addr: addr,
        https: None,
        kept: Kept::default(),
        workers: 2,
        peers: PEERS.clone(),
    };
    (ProxyHandle::start(config, table).expect("a free port"), addr)
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

fn replica(n: u128) -> ReplicaId {
    ReplicaId(Uuid::from_u128(n))
}

/// A table with one host and these paths, each with its backends. Replicas are numbered from 1 over all paths.
fn table(revision: u64, paths: &[(&str, &[Target])]) -> RouteTable {
    let mut number = 0;
    let mut local = imbl::OrdMap::new();
    let mut routes: Vec<_> = paths
        .iter()
        .map(|(prefix, targets)| {
            let backends: Arc<[Backend]> = targets
                .iter()
                .map(|target| {
                    number += 1;
                    if let Target::Local(addr) = target {
                        local.insert(replica(number), *addr);
                    }
                    Backend {
                        replica: replica(number),
                        node: NodeId(1),
                        target: *target,
                    }
                })
                .collect();
            PathRoute {
                prefix: (*prefix).to_owned(),
                route: RouteId(Uuid::from_u128(number)),
                service: ServiceId(Uuid::from_u128(1)),
                service_name: "web".to_owned(),
                backends,
            }
        })
        .collect();
    routes.sort_by_key(|it| std::cmp::Reverse(it.prefix.len()));
    let hosts = [(HOST.to_owned(), Arc::new(HostRoutes { paths: routes }))]
        .into_iter()
        .collect();
    RouteTable {
        revision: Revision(revision),
        hosts,
        local,
    }
}

fn local(addr: SocketAddr) -> Target {
    Target::Local(addr)
}
