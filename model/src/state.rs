//! The replicated state: all live resources with their indexes, in persistent maps.
//!
//! Cloning counts one more holder, so a reader takes a snapshot and keeps it as long as it likes; applying an entry copies
//! only the paths that it changes. All maps are ordered, so that iterating them gives the same order on every node.

mod group;
mod index;
mod members;
mod query;
mod settings;
mod values;

use std::ops::Deref;
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
        /// What a [`State`] holds.
        #[derive(Clone, Debug, Default)]
        pub struct Tables {
            revision: Revision,
            now: Timestamp,
            cluster: Option<Arc<Cluster>>,
            $($table: Table<$id, $name>,)*
            index: Indexes,
        }

        impl Tables {
            /// Every resource, for a snapshot. The order is the same on every node.
            pub fn resources(&self) -> impl Iterator<Item = Resource> {
                self.cluster.clone().map(Resource::Cluster).into_iter()
                    $(.chain(self.$table.values().map(|it| Resource::$name(Arc::clone(it)))))*
            }

            /// The resource of this key, if there is one.
            #[must_use]
            pub fn resource(&self, key: Key) -> Option<Resource> {
                match key {
                    Key::Cluster => self.cluster.clone().map(Resource::Cluster),
                    $(Key::$name(id) => self.$table.get(&id).cloned().map(Resource::$name),)*
                }
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

/// The replicated state at one revision.
///
/// Every request takes one, on every core: a holder of each of the tables would have to be counted otherwise.
#[derive(Clone, Debug, Default)]
pub struct State(Arc<Tables>);

impl Deref for State {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        &self.0
    }
}

/// Most changes leave everything alone that the indexes are made from; those cost one table only.
fn put<K: Ord + Clone, V: Indexed>(table: &mut Table<K, V>, index: &mut Indexes, id: K, it: Arc<V>) {
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
    pub fn apply(&mut self, revision: Revision, at: Timestamp, changes: impl IntoIterator<Item = Change>) {
        let tables = Arc::make_mut(&mut self.0);
        tables.revision = revision;
        tables.now = tables.now.max(at);
        for change in changes {
            match change {
                Change::Put(resource) => tables.put(resource),
                Change::Delete(key) => tables.delete(key),
            }
        }
    }

    /// Builds a state from its resources, as a snapshot or the disk holds them.
    pub fn from_resources(revision: Revision, now: Timestamp, resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut tables = Tables {
            revision,
            now,
            ..Tables::default()
        };
        for resource in resources {
            tables.put(resource);
        }
        Self(Arc::new(tables))
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision && self.now == other.now && self.resources().eq(other.resources())
    }
}
