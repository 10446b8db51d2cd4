//! Reading the state.

use uuid::Uuid;

use super::State;
use crate::{
    Account, AccountId, ApiKey, ApiKeyId, Cluster, Deployment, DeploymentId, Domain, DomainId, JoinToken, JoinTokenId,
    Node, NodeId, Operation, OperationId, Project, ProjectId, Replica, ReplicaId, Revision, Route, RouteId, Service,
    ServiceId, Timestamp,
};

/// The second halves of all pairs that begin with `first`, in order.
macro_rules! second {
    ($set:expr, $first:expr, $id:ident) => {
        $set.range(($first, $id(Uuid::nil()))..=($first, $id(Uuid::max())))
            .map(|(_, id)| *id)
    };
}

macro_rules! tables {
    ($($one:ident $many:ident $id:ty => $of:ty),* $(,)?) => {
        impl State {$(
            #[doc = concat!("The `", stringify!($one), "` with this id.")]
            #[must_use]
            pub fn $one(&self, id: $id) -> Option<&$of> {
                self.$many.get(&id).map(AsRef::as_ref)
            }

            #[doc = concat!("All ", stringify!($many), " in the order of their ids.")]
            pub fn $many(&self) -> impl DoubleEndedIterator<Item = &$of> {
                self.$many.values().map(AsRef::as_ref)
            }
        )*}
    };
}

tables! {
    account accounts AccountId => Account,
    project projects ProjectId => Project,
    api_key api_keys ApiKeyId => ApiKey,
    join_token join_tokens JoinTokenId => JoinToken,
    node nodes NodeId => Node,
    service services ServiceId => Service,
    domain domains DomainId => Domain,
    route routes RouteId => Route,
    deployment deployments DeploymentId => Deployment,
    replica replicas ReplicaId => Replica,
    operation operations OperationId => Operation,
}

impl State {
    /// The index of the last log entry applied.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The latest time stamped on an entry.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The cluster itself; `None` until its first entry is applied.
    #[must_use]
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// The API key with this SHA-256.
    #[must_use]
    pub fn api_key_by_hash(&self, hash: &[u8; 32]) -> Option<&ApiKey> {
        self.api_key(*self.index.api_key_by_hash.get(hash)?)
    }

    /// The node of this name.
    #[must_use]
    pub fn node_by_name(&self, name: &str) -> Option<&Node> {
        self.node(*self.index.node_by_name.get(name)?)
    }

    /// The project of this name in an account.
    #[must_use]
    pub fn project_by_name(&self, account: AccountId, name: &str) -> Option<&Project> {
        self.project(*self.index.project_by_name.get(&(account, name.to_owned()))?)
    }

    /// The service of this name in an account.
    #[must_use]
    pub fn service_by_name(&self, account: AccountId, name: &str) -> Option<&Service> {
        self.service(*self.index.service_by_name.get(&(account, name.to_owned()))?)
    }

    /// The domain with exactly this hostname; the case counts, as it does for uniqueness.
    #[must_use]
    pub fn domain_by_exact_hostname(&self, hostname: &str) -> Option<&Domain> {
        self.domain(*self.index.domain_by_hostname.get(hostname)?)
    }

    /// The domains that answer for a hostname. Hostnames are matched without regard to case (RFC 9110, 4.2.3), while
    /// they are unique with regard to it: there may be several, oldest first.
    pub fn domains_by_hostname(&self, hostname: &str) -> impl Iterator<Item = &Domain> {
        let lower = hostname.to_lowercase();
        let from = (lower.clone(), DomainId(Uuid::nil()));
        let to = (lower, DomainId(Uuid::max()));
        self.index
            .domain_by_lower_hostname
            .range(from..=to)
            .filter_map(|(_, id)| self.domain(*id))
    }

    /// The oldest domain that answers for a hostname, without regard to case.
    #[must_use]
    pub fn domain_by_hostname(&self, hostname: &str) -> Option<&Domain> {
        self.domains_by_hostname(hostname).next()
    }

    /// The oldest recorded operations first.
    pub fn operations_by_age(&self) -> impl Iterator<Item = &Operation> {
        self.index
            .operations_by_age
            .iter()
            .filter_map(|(_, id)| self.operation(*id))
    }

    /// How many operations are recorded.
    #[must_use]
    pub fn operation_count(&self) -> usize {
        self.operations.len()
    }

    /// Replicas on a node, in the order of their ids.
    pub fn replicas_on(&self, node: NodeId) -> impl DoubleEndedIterator<Item = &Replica> {
        second!(self.index.replicas_by_node, node, ReplicaId).filter_map(|id| self.replica(id))
    }

    /// Replicas of a service, also of one that was deleted, oldest first.
    pub fn replicas_of(&self, service: ServiceId) -> impl DoubleEndedIterator<Item = &Replica> {
        second!(self.index.replicas_by_service, service, ReplicaId).filter_map(|id| self.replica(id))
    }

    /// Deployments of a service, oldest first.
    pub fn deployments_of(&self, service: ServiceId) -> impl DoubleEndedIterator<Item = &Deployment> {
        second!(self.index.deployments_by_service, service, DeploymentId).filter_map(|id| self.deployment(id))
    }

    /// Routes to a service, oldest first.
    pub fn routes_of_service(&self, service: ServiceId) -> impl DoubleEndedIterator<Item = &Route> {
        second!(self.index.routes_by_service, service, RouteId).filter_map(|id| self.route(id))
    }

    /// Routes on a domain, oldest first.
    pub fn routes_of_domain(&self, domain: DomainId) -> impl DoubleEndedIterator<Item = &Route> {
        second!(self.index.routes_by_domain, domain, RouteId).filter_map(|id| self.route(id))
    }

    /// Services of an account, oldest first.
    pub fn services_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Service> {
        second!(self.index.services_by_account, account, ServiceId).filter_map(|id| self.service(id))
    }

    /// Services in a project, oldest first.
    pub fn services_in(&self, project: ProjectId) -> impl DoubleEndedIterator<Item = &Service> {
        second!(self.index.services_by_project, project, ServiceId).filter_map(|id| self.service(id))
    }

    /// Domains of an account, oldest first.
    pub fn domains_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Domain> {
        second!(self.index.domains_by_account, account, DomainId).filter_map(|id| self.domain(id))
    }

    /// Domains in a project, oldest first.
    pub fn domains_in(&self, project: ProjectId) -> impl DoubleEndedIterator<Item = &Domain> {
        second!(self.index.domains_by_project, project, DomainId).filter_map(|id| self.domain(id))
    }

    /// Routes of an account, oldest first.
    pub fn routes_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Route> {
        second!(self.index.routes_by_account, account, RouteId).filter_map(|id| self.route(id))
    }

    /// Projects of an account, oldest first.
    pub fn projects_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Project> {
        second!(self.index.projects_by_account, account, ProjectId).filter_map(|id| self.project(id))
    }

    /// API keys of an account, oldest first.
    pub fn api_keys_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &ApiKey> {
        second!(self.index.api_keys_by_account, account, ApiKeyId).filter_map(|id| self.api_key(id))
    }

    /// Deployments of an account, oldest first.
    pub fn deployments_of_account(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Deployment> {
        second!(self.index.deployments_by_account, account, DeploymentId).filter_map(|id| self.deployment(id))
    }
}
