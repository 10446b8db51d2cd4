//! Reading the state.

use uuid::Uuid;

use super::{Members, State};
use crate::{
    Account, AccountId, ApiKey, ApiKeyId, AuthorityRotation, Cluster, ClusterId, Config, ConfigId, ConfigItem,
    ConfigItemId, Deployment, DeploymentId, DeploymentSettings, Domain, DomainId, Event, EventId, ImagePin, JoinToken,
    JoinTokenId, JoinTokenUses, Key, Node, NodeId, NodeVoting, Operation, OperationId, Project, ProjectId, Quota,
    QuotaId, Replica, ReplicaId, Restart, Revision, Route, RouteId, Secret, SecretId, SecretItem, SecretItemId,
    SecretValue, SecretValueId, Service, ServiceId, ServiceKind, ServiceSettings, Session, SessionId, Timestamp,
    Voting,
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
    config configs ConfigId => Config,
    config_item config_items ConfigItemId => ConfigItem,
    secret secrets SecretId => Secret,
    secret_item secret_items SecretItemId => SecretItem,
    secret_value secret_values SecretValueId => SecretValue,
    session sessions SessionId => Session,
    quota quotas QuotaId => Quota,
    event events EventId => Event,
    node_voting node_votings NodeId => NodeVoting,
    authority_rotation authority_rotations ClusterId => AuthorityRotation,
    service_settings service_settings_records ServiceId => ServiceSettings,
    deployment_settings deployment_settings_records DeploymentId => DeploymentSettings,
    image_pin image_pins DeploymentId => ImagePin,
    restart restarts DeploymentId => Restart,
    join_token_uses join_token_uses_records JoinTokenId => JoinTokenUses,
}

/// Lists with their number: `$name($owner)` of `$of`, filed in `$group` under `$key`.
macro_rules! members {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) $group:ident [$key:expr] $one:ident => $of:ty),* $(,)?) => {
        impl State {$(
            $(#[$doc])*
            #[must_use]
            pub fn $name(&self, $($arg: $ty),*) -> Members<'_, $of> {
                let key = $key;
                let group = &self.index.$group;
                Members::new(group.count(&key), move |places| {
                    group.at(&key, places).into_iter().filter_map(|id| self.$one(id)).collect()
                })
            }
        )*}
    };
}

members! {
    /// Services or workers of an account.
    services_of(account: AccountId, kind: ServiceKind) services_by_account [(account, kind)] service => Service,
    /// Services or workers in a project.
    services_in(project: ProjectId, kind: ServiceKind) services_by_project [(project, kind)] service => Service,
    /// Domains of an account.
    domains_of(account: AccountId) domains_by_account [account] domain => Domain,
    /// Domains in a project.
    domains_in(project: ProjectId) domains_by_project [project] domain => Domain,
    /// Routes of an account.
    routes_of(account: AccountId) routes_by_account [account] route => Route,
    /// Routes in a project.
    routes_in(project: ProjectId) routes_by_project [project] route => Route,
    /// Projects of an account.
    projects_of(account: AccountId) projects_by_account [account] project => Project,
    /// API keys of an account.
    api_keys_of(account: AccountId) api_keys_by_account [account] api_key => ApiKey,
    /// Deployments of an account.
    deployments_of_account(account: AccountId) deployments_by_account [account] deployment => Deployment,
    /// Configs of an account.
    configs_of(account: AccountId) configs_by_account [account] config => Config,
    /// Configs in a project.
    configs_in(project: ProjectId) configs_by_project [project] config => Config,
    /// Items of a config.
    items_of_config(config: ConfigId) config_items [config] config_item => ConfigItem,
    /// Secrets of an account.
    secrets_of(account: AccountId) secrets_by_account [account] secret => Secret,
    /// Secrets in a project.
    secrets_in(project: ProjectId) secrets_by_project [project] secret => Secret,
    /// Items of a secret.
    items_of_secret(secret: SecretId) secret_items [secret] secret_item => SecretItem,
    /// Events of an account's things.
    events_of(account: AccountId) events_by_account [account] event => Event,
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
        self.cluster.as_deref()
    }

    /// The entry that last changed a resource that clients can change; `None` if there is none.
    #[must_use]
    pub fn revision_of(&self, key: Key) -> Option<Revision> {
        match key {
            Key::Account(id) => self.account(id).map(|it| it.revision),
            Key::Project(id) => self.project(id).map(|it| it.revision),
            Key::ApiKey(id) => self.api_key(id).map(|it| it.revision),
            Key::Node(id) => self.node(id).map(|it| it.revision),
            Key::Service(id) => self.service(id).map(|it| it.revision),
            Key::Domain(id) => self.domain(id).map(|it| it.revision),
            Key::Route(id) => self.route(id).map(|it| it.revision),
            Key::Deployment(id) => self.deployment(id).map(|it| it.revision),
            Key::Config(id) => self.config(id).map(|it| it.revision),
            Key::ConfigItem(id) => self.config_item(id).map(|it| it.revision),
            Key::Secret(id) => self.secret(id).map(|it| it.revision),
            Key::SecretItem(id) => self.secret_item(id).map(|it| it.revision),
            Key::Replica(id) => self.replica(id).map(|it| it.revision),
            Key::Cluster
            | Key::JoinToken(_)
            | Key::Operation(_)
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
            | Key::JoinTokenUses(_) => None,
        }
    }

    /// The account of this user name.
    #[must_use]
    pub fn account_by_name(&self, name: &str) -> Option<&Account> {
        self.account(*self.index.account_by_name.get(name)?)
    }

    /// All accounts, with their number.
    #[must_use]
    pub fn all_accounts(&self) -> Members<'_, Account> {
        Members::of(self.accounts().collect())
    }

    /// The API key with this SHA-256.
    #[must_use]
    pub fn api_key_by_hash(&self, hash: &[u8; 32]) -> Option<&ApiKey> {
        self.api_key(*self.index.api_key_by_hash.get(hash)?)
    }

    /// The session whose cookie has this SHA-256.
    #[must_use]
    pub fn session_by_hash(&self, hash: &[u8; 32]) -> Option<&Session> {
        self.session(*self.index.session_by_hash.get(hash)?)
    }

    /// Sessions of an account.
    pub fn sessions_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Session> {
        second!(self.index.sessions_by_account, account, SessionId).filter_map(|id| self.session(id))
    }

    /// Sessions, those that end first first.
    pub fn sessions_by_end(&self) -> impl Iterator<Item = &Session> {
        self.index
            .sessions_by_end
            .iter()
            .filter_map(|(_, id)| self.session(*id))
    }

    /// The node of this name.
    #[must_use]
    pub fn node_by_name(&self, name: &str) -> Option<&Node> {
        self.node(*self.index.node_by_name.get(name)?)
    }

    /// A node whose version knows no more commands than that of any other.
    #[must_use]
    pub fn lowest_node(&self) -> Option<&Node> {
        let (_, id) = self.index.nodes_by_level.get_min()?;
        self.node(*id)
    }

    /// The rotation of the certificate authority that is under way.
    #[must_use]
    pub fn authority_under_way(&self) -> Option<&AuthorityRotation> {
        self.authority_rotations().next()
    }

    /// What is wanted of a node's vote.
    #[must_use]
    pub fn voting(&self, node: NodeId) -> Voting {
        self.node_voting(node).map_or(Voting::Auto, |it| it.voting)
    }

    /// The project of this name in an account.
    #[must_use]
    pub fn project_by_name(&self, account: AccountId, name: &str) -> Option<&Project> {
        self.project(*self.index.project_by_name.get(&(account, name.to_owned()))?)
    }

    /// The service or worker of this name in an account.
    #[must_use]
    pub fn service_by_name(&self, account: AccountId, kind: ServiceKind, name: &str) -> Option<&Service> {
        self.service(*self.index.service_by_name.get(&(account, kind, name.to_owned()))?)
    }

    /// The item of a config with this key.
    #[must_use]
    pub fn config_item_by_key(&self, config: ConfigId, key: &str) -> Option<&ConfigItem> {
        self.config_item(*self.index.config_item_by_key.get(&(config, key.to_owned()))?)
    }

    /// The item of a secret with this key.
    #[must_use]
    pub fn secret_item_by_key(&self, secret: SecretId, key: &str) -> Option<&SecretItem> {
        self.secret_item(*self.index.secret_item_by_key.get(&(secret, key.to_owned()))?)
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

    /// Recorded operations, those that are forgotten first first.
    pub fn operations_by_end(&self) -> impl Iterator<Item = &Operation> {
        self.index
            .operations_by_end
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

    /// Services and workers that name a config, oldest first.
    pub fn users_of_config(&self, config: ConfigId) -> impl DoubleEndedIterator<Item = &Service> {
        second!(self.index.services_by_config, config, ServiceId).filter_map(|id| self.service(id))
    }

    /// Services and workers that name a secret, oldest first.
    pub fn users_of_secret(&self, secret: SecretId) -> impl DoubleEndedIterator<Item = &Service> {
        second!(self.index.services_by_secret, secret, ServiceId).filter_map(|id| self.service(id))
    }

    /// Services and workers of an account that fetch their images with a secret, oldest first.
    pub fn users_of_registry_secret(&self, account: AccountId, secret: SecretId) -> impl Iterator<Item = &Service> {
        let kinds = [ServiceKind::Service, ServiceKind::Worker].into_iter();
        let all = kinds.flat_map(move |kind| self.services_of(account, kind).all());
        all.filter(move |it| self.settings_of(it.id).registry_secret == Some(secret))
    }

    /// Whether a deployment is pinned to this value, `except` for one that is about to go.
    #[must_use]
    pub fn is_pinned(&self, value: SecretValueId, except: impl Fn(DeploymentId) -> bool) -> bool {
        second!(self.index.deployments_by_value, value, DeploymentId).any(|id| !except(id))
    }

    /// Events after this one, oldest first.
    pub fn events_after(&self, id: EventId) -> impl Iterator<Item = &Event> {
        self.events
            .range(EventId(id.0.saturating_add(1))..)
            .map(|(_, it)| it.as_ref())
    }

    /// All events, with their number.
    #[must_use]
    pub fn all_events(&self) -> Members<'_, Event> {
        let count = self.events.len();
        // Walked from the nearer end; only so many events are kept.
        Members::new(count, move |places| {
            if places.start <= count / 2 {
                return self.events().skip(places.start).take(places.len()).collect();
            }
            let mut page: Vec<_> = self
                .events()
                .rev()
                .skip(count - places.end)
                .take(places.len())
                .collect();
            page.reverse();
            page
        })
    }

    /// The last event.
    #[must_use]
    pub fn last_event(&self) -> EventId {
        self.events.get_max().map_or(EventId(0), |(id, _)| *id)
    }

    /// Reads of secrets, and other events, oldest first: each are kept up to a number of their own.
    pub(crate) fn events_by_class(&self) -> [(usize, impl Iterator<Item = EventId>); 2] {
        [&self.index.read_events, &self.index.other_events].map(|class| (class.len(), class.iter().copied()))
    }
}
