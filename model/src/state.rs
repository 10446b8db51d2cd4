//! The replicated state: all live resources with their indexes, in persistent maps.
//!
//! Cloning is O(1), so a reader takes a snapshot and keeps it as long as it likes; applying an entry copies only the
//! paths that it changes. All maps are ordered, so that iterating them gives the same order on every node.

mod group;
mod index;
mod members;
mod query;
mod settings;
mod values;

use std::sync::Arc;

use imbl::OrdMap;

use self::index::{Indexed, Indexes};
pub use self::members::Members;
use crate::{
    Account, AccountId, ApiKey, ApiKeyId, AuthorityRotation, Change, Cluster, ClusterId, Config, ConfigId, ConfigItem,
    ConfigItemId, Deployment, DeploymentId, DeploymentSettings, Domain, DomainId, Event, EventId, ImagePin, JoinToken,
    JoinTokenId, JoinTokenUses, Key, Node, NodeId, NodeVoting, Operation, OperationId, Project, ProjectId, Quota,
    QuotaId, Replica, ReplicaId, Resource, Restart, Revision, Route, RouteId, Secret, SecretId, SecretItem,
    SecretItemId, SecretValue, SecretValueId, Service, ServiceId, ServiceSettings, Session, SessionId, Timestamp,
};

type Table<K, V> = OrdMap<K, Arc<V>>;

macro_rules! state {
    ($($table:ident $name:ident $id:ty),* $(,)?) => {
        /// The replicated state at one revision.
        #[derive(Clone, Debug, Default)]
        pub struct State {
            revision: Revision,
            now: Timestamp,
            cluster: Option<Cluster>,
            $($table: Table<$id, $name>,)*
            index: Indexes,
        }

        impl State {
            /// Every resource, for a snapshot. The order is the same on every node.
            pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
                self.cluster.clone().map(Resource::Cluster).into_iter()
                    $(.chain(self.$table.values().map(|it| Resource::$name($name::clone(it)))))*
            }

            fn put(&mut self, resource: Resource) {
                match resource {
                    Resource::Cluster(it) => self.cluster = Some(it),
                    $(Resource::$name(it) => put(&mut self.$table, &mut self.index, it.id, it),)*
                }
            }

            fn delete(&mut self, key: Key) {
                match key {
                    Key::Cluster => self.cluster = None,
                    $(Key::$name(id) => {
                        if let Some(old) = self.$table.remove(&id) {
                            old.leave(&mut self.index);
                        }
                    })*
                }
            }
        }
    };
}

state! {
    accounts Account AccountId,
    projects Project ProjectId,
    api_keys ApiKey ApiKeyId,
    join_tokens JoinToken JoinTokenId,
    nodes Node NodeId,
    services Service ServiceId,
    domains Domain DomainId,
    routes Route RouteId,
    deployments Deployment DeploymentId,
    replicas Replica ReplicaId,
    operations Operation OperationId,
    configs Config ConfigId,
    config_items ConfigItem ConfigItemId,
    secrets Secret SecretId,
    secret_items SecretItem SecretItemId,
    secret_values SecretValue SecretValueId,
    sessions Session SessionId,
    quotas Quota QuotaId,
    events Event EventId,
    node_votings NodeVoting NodeId,
    authority_rotations AuthorityRotation ClusterId, service_settings_records ServiceSettings ServiceId, deployment_settings_records DeploymentSettings DeploymentId, image_pins ImagePin DeploymentId,
    restarts Restart DeploymentId,
    join_token_uses_records JoinTokenUses JoinTokenId,
}

/// Most changes leave everything alone that the indexes are made from; those cost one table only.
fn put<K: Ord + Clone, V: Indexed>(table: &mut Table<K, V>, index: &mut Indexes, id: K, it: V) {
    let it = Arc::new(it);
    match table.insert(id, Arc::clone(&it)) {
        Some(old) if old.is_filed_like(&it) => {}
        Some(old) => {
            old.leave(index);
            it.enter(index);
        }
        None => it.enter(index),
    }
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
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision && self.now == other.now && self.resources().eq(other.resources())
    }
}
