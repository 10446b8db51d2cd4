//! Ways to find resources without walking all of them. Derived from the tables, never stored: each resource says in
//! one place where it is filed.

use imbl::{OrdMap, OrdSet};

use super::group::Group;
use crate::{
    Account, AccountId, ApiKey, ApiKeyId, AuthorityRotation, Config, ConfigId, ConfigItem, ConfigItemId, Deployment,
    DeploymentId, DeploymentSettings, Domain, DomainId, Event, EventId, ImagePin, JoinToken, JoinTokenUses, KeyVersion,
    Kind, Node, NodeId, NodeVoting, Operation, OperationId, Project, ProjectId, Quota, Replica, ReplicaId, Restart,
    Route, RouteId, Secret, SecretId, SecretItem, SecretItemId, SecretValue, SecretValueId, Service, ServiceId,
    ServiceKind, ServiceSettings, Session, SessionId, Timestamp, Verb,
};

#[derive(Clone, Debug, Default)]
pub(super) struct Indexes {
    pub(super) account_by_name: OrdMap<String, AccountId>,
    pub(super) api_key_by_hash: OrdMap<[u8; 32], ApiKeyId>,
    pub(super) api_keys_by_account: Group<AccountId, ApiKeyId>,
    pub(super) session_by_hash: OrdMap<[u8; 32], SessionId>,
    pub(super) sessions_by_account: OrdSet<(AccountId, SessionId)>,
    pub(super) sessions_by_end: OrdSet<(Timestamp, SessionId)>,
    pub(super) node_by_name: OrdMap<String, NodeId>,
    pub(super) nodes_by_level: OrdSet<(u32, NodeId)>,
    pub(super) project_by_name: OrdMap<(AccountId, String), ProjectId>,
    pub(super) projects_by_account: Group<AccountId, ProjectId>,
    pub(super) service_by_name: OrdMap<(AccountId, ServiceKind, String), ServiceId>,
    pub(super) services_by_account: Group<(AccountId, ServiceKind), ServiceId>,
    pub(super) services_by_project: Group<(ProjectId, ServiceKind), ServiceId>,
    pub(super) services_by_config: OrdSet<(ConfigId, ServiceId)>,
    pub(super) services_by_secret: OrdSet<(SecretId, ServiceId)>,
    pub(super) domain_by_hostname: OrdMap<String, DomainId>,
    pub(super) domain_by_lower_hostname: OrdSet<(String, DomainId)>,
    pub(super) domains_by_account: Group<AccountId, DomainId>,
    pub(super) domains_by_project: Group<ProjectId, DomainId>,
    pub(super) routes_by_account: Group<AccountId, RouteId>,
    pub(super) routes_by_project: Group<ProjectId, RouteId>,
    pub(super) routes_by_domain: OrdSet<(DomainId, RouteId)>,
    pub(super) routes_by_service: OrdSet<(ServiceId, RouteId)>,
    pub(super) deployments_by_account: Group<AccountId, DeploymentId>,
    pub(super) deployments_by_service: OrdSet<(ServiceId, DeploymentId)>,
    pub(super) deployments_by_value: OrdSet<(SecretValueId, DeploymentId)>,
    pub(super) replicas_by_node: OrdSet<(NodeId, ReplicaId)>,
    pub(super) replicas_by_service: OrdSet<(ServiceId, ReplicaId)>,
    pub(super) operations_by_end: OrdSet<(Timestamp, OperationId)>,
    pub(super) configs_by_account: Group<AccountId, ConfigId>,
    pub(super) configs_by_project: Group<ProjectId, ConfigId>,
    pub(super) config_items: Group<ConfigId, ConfigItemId>,
    pub(super) config_item_by_key: OrdMap<(ConfigId, String), ConfigItemId>,
    pub(super) secrets_by_account: Group<AccountId, SecretId>,
    pub(super) secrets_by_project: Group<ProjectId, SecretId>,
    pub(super) secret_items: Group<SecretId, SecretItemId>,
    pub(super) secret_item_by_key: OrdMap<(SecretId, String), SecretItemId>,
    pub(super) values_by_key: OrdSet<(KeyVersion, SecretValueId)>,
    pub(super) events_by_account: Group<AccountId, EventId>,
    /// Events that are kept apart from the others, so that neither crowd out the other.
    pub(super) read_events: OrdSet<EventId>,
    pub(super) other_events: OrdSet<EventId>,
}

/// A resource that is filed under more than its id.
pub(super) trait Indexed {
    /// Whether `other`, with the same id, is filed under the same things.
    fn is_filed_like(&self, other: &Self) -> bool;
    fn enter(&self, index: &mut Indexes);
    fn leave(&self, index: &mut Indexes);
}

/// `$filed` is compared to tell whether anything has to be filed anew; then each index with the entry in it.
macro_rules! indexed {
    ($($name:ident($it:ident) by $filed:expr => {
        $(map $map:ident [$map_key:expr];)*
        $(set $set:ident [$set_key:expr];)*
        $(group $group:ident [$owner:expr];)*
    })*) => {$(
        #[allow(unused_variables, reason = "not everything is filed anywhere")]
        impl Indexed for $name {
            fn is_filed_like(&self, other: &Self) -> bool {
                fn filed($it: &$name) -> impl PartialEq + '_ {
                    $filed
                }
                filed(self) == filed(other)
            }

            fn enter(&self, index: &mut Indexes) {
                let $it = self;
                $(index.$map.insert($map_key, $it.id);)*
                $(index.$set.insert(($set_key, $it.id));)*
                $(index.$group.insert($owner, $it.id);)*
            }

            fn leave(&self, index: &mut Indexes) {
                let $it = self;
                $(index.$map.remove(&$map_key);)*
                $(index.$set.remove(&($set_key, $it.id));)*
                $(index.$group.remove(&$owner, &$it.id);)*
            }
        }
    )*};
}

indexed! {
    Account(it) by &it.name => {
        map account_by_name [it.name.clone()];
    }
    ApiKey(it) by (it.hash, it.account) => {
        map api_key_by_hash [it.hash];
        group api_keys_by_account [it.account];
    }
    Session(it) by (it.hash, it.account, it.expires_at) => {
        map session_by_hash [it.hash];
        set sessions_by_account [it.account];
        set sessions_by_end [it.expires_at];
    }
    JoinToken(it) by () => {}
    Node(it) by (&it.name, &it.version) => {
        map node_by_name [it.name.clone()];
        set nodes_by_level [crate::level_of_version(&it.version)];
    }
    Project(it) by (it.account, &it.name) => {
        map project_by_name [(it.account, it.name.clone())];
        group projects_by_account [it.account];
    }
    Domain(it) by (it.account, it.project, &it.hostname) => {
        map domain_by_hostname [it.hostname.clone()];
        set domain_by_lower_hostname [it.hostname.to_lowercase()];
        group domains_by_account [it.account];
        group domains_by_project [it.project];
    }
    Route(it) by (it.account, it.project, it.domain, it.service) => {
        set routes_by_domain [it.domain];
        set routes_by_service [it.service];
        group routes_by_account [it.account];
        group routes_by_project [it.project];
    }
    Replica(it) by (it.node, it.service) => {
        set replicas_by_node [it.node];
        set replicas_by_service [it.service];
    }
    Operation(it) by it.expires_at => {
        set operations_by_end [it.expires_at];
    }
    Config(it) by (it.account, it.project) => {
        group configs_by_account [it.account];
        group configs_by_project [it.project];
    }
    ConfigItem(it) by (it.config, &it.key) => {
        map config_item_by_key [(it.config, it.key.clone())];
        group config_items [it.config];
    }
    Secret(it) by (it.account, it.project) => {
        group secrets_by_account [it.account];
        group secrets_by_project [it.project];
    }
    SecretItem(it) by (it.secret, &it.key) => {
        map secret_item_by_key [(it.secret, it.key.clone())];
        group secret_items [it.secret];
    }
    SecretValue(it) by it.sealed.key => {
        set values_by_key [it.sealed.key];
    }
    Quota(it) by () => {}
    NodeVoting(it) by () => {}
    AuthorityRotation(it) by () => {}
    ServiceSettings(it) by () => {}
    DeploymentSettings(it) by () => {}
    ImagePin(it) by () => {}
    Restart(it) by () => {}
    JoinTokenUses(it) by () => {}
}

impl Indexed for Service {
    fn is_filed_like(&self, other: &Self) -> bool {
        let filed = |it: &Self| (it.account, it.project, it.kind(), it.spec.config, it.spec.secret);
        filed(self) == filed(other) && self.name == other.name
    }

    fn enter(&self, index: &mut Indexes) {
        let kind = self.kind();
        index
            .service_by_name
            .insert((self.account, kind, self.name.clone()), self.id);
        index.services_by_account.insert((self.account, kind), self.id);
        index.services_by_project.insert((self.project, kind), self.id);
        if let Some(config) = self.spec.config {
            index.services_by_config.insert((config, self.id));
        }
        if let Some(secret) = self.spec.secret {
            index.services_by_secret.insert((secret, self.id));
        }
    }

    fn leave(&self, index: &mut Indexes) {
        let kind = self.kind();
        index.service_by_name.remove(&(self.account, kind, self.name.clone()));
        index.services_by_account.remove(&(self.account, kind), &self.id);
        index.services_by_project.remove(&(self.project, kind), &self.id);
        if let Some(config) = self.spec.config {
            index.services_by_config.remove(&(config, self.id));
        }
        if let Some(secret) = self.spec.secret {
            index.services_by_secret.remove(&(secret, self.id));
        }
    }
}

impl Indexed for Deployment {
    fn is_filed_like(&self, other: &Self) -> bool {
        (self.account, self.service) == (other.account, other.service) && self.secrets == other.secrets
    }

    fn enter(&self, index: &mut Indexes) {
        index.deployments_by_account.insert(self.account, self.id);
        index.deployments_by_service.insert((self.service, self.id));
        for pin in &self.secrets {
            index.deployments_by_value.insert((pin.value(), self.id));
        }
    }

    fn leave(&self, index: &mut Indexes) {
        index.deployments_by_account.remove(&self.account, &self.id);
        index.deployments_by_service.remove(&(self.service, self.id));
        for pin in &self.secrets {
            index.deployments_by_value.remove(&(pin.value(), self.id));
        }
    }
}

impl Event {
    /// Whether it tells of a value that was read.
    pub(super) fn is_read(&self) -> bool {
        self.subject == Kind::SecretItem && self.verb == Verb::Accessed
    }
}

impl Indexed for Event {
    fn is_filed_like(&self, other: &Self) -> bool {
        (self.account, self.is_read()) == (other.account, other.is_read())
    }

    fn enter(&self, index: &mut Indexes) {
        if self.is_read() {
            index.read_events.insert(self.id);
        } else {
            index.other_events.insert(self.id);
        }
        if let Some(account) = self.account {
            index.events_by_account.insert(account, self.id);
        }
    }

    fn leave(&self, index: &mut Indexes) {
        index.read_events.remove(&self.id);
        index.other_events.remove(&self.id);
        if let Some(account) = self.account {
            index.events_by_account.remove(&account, &self.id);
        }
    }
}
