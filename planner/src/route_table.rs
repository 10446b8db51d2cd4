//! What a proxy needs to know, as plain data: for each hostname its paths, for each path its backends.

use std::net::SocketAddr;
use std::sync::Arc;

use imbl::OrdMap;
use model::{NodeId, ReplicaId, Revision, RouteId, ServiceId};

/// Where a request for a replica is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The container itself: it runs on this host.
    Local(SocketAddr),
    /// The proxy of the host that runs it, which is the only way in.
    Remote(SocketAddr),
}

/// One replica that may be sent requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Which replica.
    pub replica: ReplicaId,
    /// On which node.
    pub node: NodeId,
    /// Where to send.
    pub target: Target,
}

/// A path prefix and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRoute {
    /// Normalised: begins with `/`, no `/` at its end except in `/` itself.
    pub prefix: String,
    /// The route.
    pub route: RouteId,
    /// The service it leads to.
    pub service: ServiceId,
    /// That service's name, for error answers.
    pub service_name: String,
    /// Replicas that are ready on nodes that are up, sorted by id; may be empty.
    pub backends: Arc<[Backend]>,
}

/// The routes of one hostname, longest prefix first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRoutes {
    /// Longest prefix first.
    pub paths: Vec<PathRoute>,
}

/// The whole table of one host's proxy. Cloning is O(1); one change of the cluster touches few of its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTable {
    /// The state it was made from.
    pub revision: Revision,
    /// By lower-case hostname without port.
    pub hosts: OrdMap<String, Arc<HostRoutes>>,
    /// Replicas of this host that requests handed over by other proxies may be sent to: those that are ready and
    /// wanted. One that is being stopped is not in it, so a late arrival goes back to the proxy that asked.
    pub local: OrdMap<ReplicaId, SocketAddr>,
}

impl HostRoutes {
    /// The route for a normalised path: the longest prefix that ends on a segment border.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&PathRoute> {
        self.paths.iter().find(|route| covers(&route.prefix, path))
    }
}

fn covers(prefix: &str, path: &str) -> bool {
    prefix == "/"
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
