//! The only way the state changes: whole resources are put or deleted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Account, AccountId, ApiKey, ApiKeyId, AuthorityRotation, Cluster, ClusterId, Config, ConfigId, ConfigItem,
    ConfigItemId, Deployment, DeploymentId, DeploymentSettings, Domain, DomainId, Event, EventId, ImagePin, JoinToken,
    JoinTokenId, JoinTokenUses, Node, NodeId, NodeVoting, Operation, OperationId, Project, ProjectId, Quota, QuotaId,
    Replica, ReplicaId, Restart, Route, RouteId, Secret, SecretId, SecretItem, SecretItemId, SecretValue,
    SecretValueId, Service, ServiceId, ServiceSettings, Session, SessionId,
};

macro_rules! convert {
    ($($name:ident)*) => {
        $(impl From<$name> for Resource {
            fn from(it: $name) -> Self {
                Self::$name(Arc::new(it))
            }
        }

        impl From<$name> for Change {
            fn from(it: $name) -> Self {
                Self::Put(it.into())
            }
        })*
    };
}

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident($id:ty)),* $(,)?) => {
        /// Any resource, whole. Copies share it: with the state, the answer to whoever made it, and the record of that answer.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Resource {
            /// The cluster itself, of which there is one.
            Cluster(Arc<Cluster>),
            $($(#[$doc])* $name(Arc<$name>)),*
        }

        /// The id of any resource.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Key {
            /// The cluster itself, of which there is one.
            Cluster,
            $($(#[$doc])* $name($id)),*
        }

        impl Resource {
            /// Its key.
            #[must_use]
            pub fn key(&self) -> Key {
                match self {
                    Self::Cluster(_) => Key::Cluster,
                    $(Self::$name(it) => Key::$name(it.id)),*
                }
            }
        }

        convert!(Cluster $($name)*);
    };
}

resources! {
    /// An account.
    Account(AccountId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A join token.
    JoinToken(JoinTokenId),
    /// A node.
    Node(NodeId),
    /// A project.
    Project(ProjectId),
    /// A service.
    Service(ServiceId),
    /// A domain.
    Domain(DomainId),
    /// A route.
    Route(RouteId),
    /// A deployment.
    Deployment(DeploymentId),
    /// A replica.
    Replica(ReplicaId),
    /// The result of a command.
    Operation(OperationId),
    /// A config.
    Config(ConfigId),
    /// One value of a config.
    ConfigItem(ConfigItemId),
    /// A secret.
    Secret(SecretId),
    /// One value of a secret, without the value.
    SecretItem(SecretItemId),
    /// A sealed value.
    SecretValue(SecretValueId),
    /// A login of the web interface.
    Session(SessionId),
    /// What an account has used of an allowance.
    Quota(QuotaId),
    /// Something that happened.
    Event(EventId),
    /// What is wanted of a node's vote.
    NodeVoting(NodeId),
    /// A rotation of the certificate authority.
    AuthorityRotation(ClusterId),
    /// What is wanted of a service beyond its spec.
    ServiceSettings(ServiceId),
    /// What a deployment was pinned to beyond its spec.
    DeploymentSettings(DeploymentId),
    /// Which bytes a rollout runs.
    ImagePin(DeploymentId),
    /// That a deployment replaces all that runs.
    Restart(DeploymentId),
    /// How often a join token is still good.
    JoinTokenUses(JoinTokenId),
}

/// One step from a state to the next. Storage writes exactly these; applying one cannot fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// This resource is now like this.
    Put(Resource),
    /// This resource is gone.
    Delete(Key),
}

impl Change {
    /// What it changes.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Put(resource) => resource.key(),
            Self::Delete(key) => *key,
        }
    }
}

impl From<Resource> for Change {
    fn from(it: Resource) -> Self {
        Self::Put(it)
    }
}
