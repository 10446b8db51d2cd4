//! The replicated state: all live resources with their indexes, in persistent maps.
//!
//! Cloning is O(1), so a reader takes a snapshot and keeps it as long as it likes; applying an entry copies only the
//! paths that it changes. All maps are ordered, so that iterating them gives the same order on every node.

mod index;
mod query;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::{
    Account, AccountId, ApiKey, ApiKeyId, Change, Cluster, Deployment, DeploymentId, Domain, DomainId, JoinToken,
    JoinTokenId, Key, Node, NodeId, Operation, OperationId, Project, ProjectId, Replica, ReplicaId, Resource, Revision,
    Route, RouteId, Service, ServiceId, Timestamp,
};

type Table<K, V> = OrdMap<K, Arc<V>>;

/// The replicated state at one revision.
#[derive(Clone, Debug, Default)]
pub struct State {
    revision: Revision,
    now: Timestamp,
    cluster: Option<Cluster>,
    accounts: Table<AccountId, Account>,
    projects: Table<ProjectId, Project>,
    api_keys: Table<ApiKeyId, ApiKey>,
    join_tokens: Table<JoinTokenId, JoinToken>,
    nodes: Table<NodeId, Node>,
    services: Table<ServiceId, Service>,
    domains: Table<DomainId, Domain>,
    routes: Table<RouteId, Route>,
    deployments: Table<DeploymentId, Deployment>,
    replicas: Table<ReplicaId, Replica>,
    operations: Table<OperationId, Operation>,
    index: Indexes,
}

/// Ways to find resources without walking all of them. Derived from the tables, never stored.
#[derive(Clone, Debug, Default)]
struct Indexes {
    api_key_by_hash: OrdMap<[u8; 32], ApiKeyId>,
    api_keys_by_account: OrdSet<(AccountId, ApiKeyId)>,
    node_by_name: OrdMap<String, NodeId>,
    project_by_name: OrdMap<(AccountId, String), ProjectId>,
    projects_by_account: OrdSet<(AccountId, ProjectId)>,
    service_by_name: OrdMap<(AccountId, String), ServiceId>,
    services_by_account: OrdSet<(AccountId, ServiceId)>,
    services_by_project: OrdSet<(ProjectId, ServiceId)>,
    domain_by_hostname: OrdMap<String, DomainId>,
    domain_by_lower_hostname: OrdSet<(String, DomainId)>,
    domains_by_account: OrdSet<(AccountId, DomainId)>,
    domains_by_project: OrdSet<(ProjectId, DomainId)>,
    routes_by_account: OrdSet<(AccountId, RouteId)>,
    routes_by_domain: OrdSet<(DomainId, RouteId)>,
    routes_by_service: OrdSet<(ServiceId, RouteId)>,
    deployments_by_account: OrdSet<(AccountId, DeploymentId)>,
    deployments_by_service: OrdSet<(ServiceId, DeploymentId)>,
    replicas_by_node: OrdSet<(NodeId, ReplicaId)>,
    replicas_by_service: OrdSet<(ServiceId, ReplicaId)>,
    operations_by_age: OrdSet<(Revision, OperationId)>,
}

impl State {
    /// Applies the changes of one log entry; the only way the state ever changes.
    ///
    /// `revision` is the entry's log index, `at` its stamped time. Time never runs backwards: an earlier stamp is
    /// taken as the time of the entry before.
    pub fn apply(&mut self, revision: Revision, at: Timestamp, changes: &[Change]) {
        self.revision = revision;
        self.now = self.now.max(at);
        for change in changes {
            match change {
                Change::Put(resource) => self.put(resource.clone()),
                Change::Delete(key) => self.delete(*key),
            }
        }
    }

    /// Builds a state from its resources, as a snapshot or the disk holds them.
    pub fn from_resources(revision: Revision, now: Timestamp, resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut state = Self {
            revision,
            now,
            ..Self::default()
        };
        for resource in resources {
            state.put(resource);
        }
        state
    }

    /// Every resource, for a snapshot. The order is the same on every node.
    pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        fn all<'a, K: Ord + Clone, V: Clone>(
            table: &'a Table<K, V>,
            wrap: fn(V) -> Resource,
        ) -> impl Iterator<Item = Resource> + 'a {
            table.values().map(move |it| wrap(V::clone(it)))
        }
        self.cluster
            .clone()
            .map(Resource::Cluster)
            .into_iter()
            .chain(all(&self.accounts, Resource::Account))
            .chain(all(&self.projects, Resource::Project))
            .chain(all(&self.api_keys, Resource::ApiKey))
            .chain(all(&self.join_tokens, Resource::JoinToken))
            .chain(all(&self.nodes, Resource::Node))
            .chain(all(&self.services, Resource::Service))
            .chain(all(&self.domains, Resource::Domain))
            .chain(all(&self.routes, Resource::Route))
            .chain(all(&self.deployments, Resource::Deployment))
            .chain(all(&self.replicas, Resource::Replica))
            .chain(all(&self.operations, Resource::Operation))
    }

    fn put(&mut self, resource: Resource) {
        self.delete(resource.key());
        match resource {
            Resource::Cluster(it) => self.cluster = Some(it),
            Resource::Account(it) => drop(self.accounts.insert(it.id, Arc::new(it))),
            Resource::Project(it) => self.put_project(it),
            Resource::ApiKey(it) => self.put_api_key(it),
            Resource::JoinToken(it) => drop(self.join_tokens.insert(it.id, Arc::new(it))),
            Resource::Node(it) => self.put_node(it),
            Resource::Service(it) => self.put_service(it),
            Resource::Domain(it) => self.put_domain(it),
            Resource::Route(it) => self.put_route(it),
            Resource::Deployment(it) => self.put_deployment(it),
            Resource::Replica(it) => self.put_replica(it),
            Resource::Operation(it) => self.put_operation(it),
        }
    }

    fn delete(&mut self, key: Key) {
        match key {
            Key::Cluster => self.cluster = None,
            Key::Account(id) => drop(self.accounts.remove(&id)),
            Key::Project(id) => self.delete_project(id),
            Key::ApiKey(id) => self.delete_api_key(id),
            Key::JoinToken(id) => drop(self.join_tokens.remove(&id)),
            Key::Node(id) => self.delete_node(id),
            Key::Service(id) => self.delete_service(id),
            Key::Domain(id) => self.delete_domain(id),
            Key::Route(id) => self.delete_route(id),
            Key::Deployment(id) => self.delete_deployment(id),
            Key::Replica(id) => self.delete_replica(id),
            Key::Operation(id) => self.delete_operation(id),
        }
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision && self.now == other.now && self.resources().eq(other.resources())
    }
}
