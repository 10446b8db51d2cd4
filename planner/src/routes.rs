//! From the state to a proxy's table: all of it at the start, afterwards only what a change touches.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Change, DomainId, Key, Node, NodeId, ReplicaId, Resource, Route, ServiceId, State};

use crate::route_table::{Backend, HostRoutes, PathRoute, RouteTable, Target};

/// The whole table for the proxy of node `me`.
#[must_use]
pub fn routes(state: &State, me: NodeId) -> RouteTable {
    let hosts: BTreeSet<_> = state.domains().map(|it| it.hostname.to_lowercase()).collect();
    RouteTable {
        revision: state.revision(),
        hosts: hosts
            .into_iter()
            .filter_map(|host| host_routes(state, me, &host).map(|routes| (host, Arc::new(routes))))
            .collect(),
        local: state
            .replicas_on(me)
            .filter(|it| it.is_serving())
            .filter_map(|it| it.address.map(|address| (it.id, address)))
            .collect(),
    }
}

/// The table after `changes` led from `before` to `after`. Costs as much as the changes touch.
#[must_use]
pub fn reroute(table: &RouteTable, before: &State, after: &State, me: NodeId, changes: &[Change]) -> RouteTable {
    let mut touched = Touched::default();
    for change in changes {
        let key = match change {
            Change::Put(resource) => resource.key(),
            Change::Delete(key) => *key,
        };
        if is_new_lease_only(before, change) {
            continue;
        }
        touched.note(before, key);
        touched.note(after, key);
    }
    let mut table = RouteTable {
        revision: after.revision(),
        ..table.clone()
    };
    for host in touched.hosts {
        match host_routes(after, me, &host) {
            Some(routes) => table.hosts.insert(host, Arc::new(routes)),
            None => table.hosts.remove(&host),
        };
    }
    for id in touched.replicas {
        let address = after
            .replica(id)
            .filter(|it| it.node == me && it.is_serving())
            .and_then(|it| it.address);
        match address {
            Some(address) => table.local.insert(id, address),
            None => table.local.remove(&id),
        };
    }
    table
}

/// A node that is put again with nothing in it that a proxy looks at.
fn is_new_lease_only(before: &State, change: &Change) -> bool {
    let Change::Put(Resource::Node(after)) = change else {
        return false;
    };
    before
        .node(after.id)
        .is_some_and(|it| it.status == after.status && it.http_addr == after.http_addr)
}

/// What a change reaches: hostnames, and replicas of this host.
#[derive(Default)]
struct Touched {
    hosts: BTreeSet<String>,
    replicas: BTreeSet<ReplicaId>,
}

impl Touched {
    fn note(&mut self, state: &State, key: Key) {
        match key {
            Key::Domain(id) => self.domain(state, id),
            Key::Route(id) => {
                if let Some(route) = state.route(id) {
                    self.domain(state, route.domain);
                }
            }
            Key::Replica(id) => {
                if let Some(replica) = state.replica(id) {
                    self.replicas.insert(id);
                    self.service(state, replica.service);
                }
            }
            Key::Node(id) => {
                let services: BTreeSet<_> = state.replicas_on(id).map(|it| it.service).collect();
                services.into_iter().for_each(|it| self.service(state, it));
            }
            // Its name is shown in answers; replicas are noted by themselves.
            Key::Service(id) => self.service(state, id),
            Key::Cluster
            | Key::Account(_)
            | Key::ApiKey(_)
            | Key::JoinToken(_)
            | Key::Project(_)
            | Key::Deployment(_)
            | Key::Operation(_)
            | Key::Config(_)
            | Key::ConfigItem(_)
            | Key::Secret(_)
            | Key::SecretItem(_)
            | Key::SecretValue(_)
            | Key::Session(_)
            | Key::Quota(_)
            | Key::Event(_)
            | Key::NodeVoting(_)
            | Key::AuthorityRotation(_)
            | Key::ServiceSettings(_)
            | Key::DeploymentSettings(_)
            | Key::ImagePin(_)
            | Key::Restart(_)
            | Key::JoinTokenUses(_) => {}
        }
    }

    fn service(&mut self, state: &State, id: ServiceId) {
        state.routes_of_service(id).for_each(|it| self.domain(state, it.domain));
    }

    fn domain(&mut self, state: &State, id: DomainId) {
        self.hosts.extend(state.domain(id).map(|it| it.hostname.to_lowercase()));
    }
}

/// The routes of a lower-case hostname; `None` if no domain has it.
fn host_routes(state: &State, me: NodeId, host: &str) -> Option<HostRoutes> {
    let mut known = false;
    let mut paths: Vec<_> = state
        .domains_by_hostname(host)
        .inspect(|_| known = true)
        .flat_map(|domain| state.routes_of_domain(domain.id))
        .filter(|route| route.enabled)
        .filter_map(|route| path_route(state, me, route))
        .collect();
    // The longest first; of equals the oldest, whose id is the smallest.
    paths.sort_by(|a, b| (b.prefix.len(), a.route).cmp(&(a.prefix.len(), b.route)));
    known.then_some(HostRoutes { paths })
}

fn path_route(state: &State, me: NodeId, route: &Route) -> Option<PathRoute> {
    let service = state.service(route.service)?;
    let backends: Arc<[_]> = state
        .replicas_of(service.id)
        .filter(|it| it.is_serving())
        .filter_map(|it| {
            let node = state.node(it.node).filter(|node| node.is_up())?;
            Some(Backend {
                replica: it.id,
                node: node.id,
                target: target(node, me, it.address?),
            })
        })
        .collect();
    Some(PathRoute {
        prefix: normalise_prefix(&route.path),
        route: route.id,
        service: service.id,
        service_name: service.name.clone(),
        backends,
    })
}

fn target(node: &Node, me: NodeId, address: std::net::SocketAddr) -> Target {
    if node.id == me {
        Target::Local(address)
    } else {
        Target::Remote(node.http_addr)
    }
}

/// A route's path as proxies match it: one `/` in front, none at the end.
#[must_use]
pub fn normalise_prefix(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

#[cfg(test)]
mod tests;
