//! Identifiers. Each kind of thing has its own type, so that one can never be passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

uuid_ids! {
    /// A tenant: owns projects, services, domains and API keys.
    AccountId,
    /// An API key (not the key itself).
    ApiKeyId,
    /// One Goblins cluster; stamped at its birth, never changed.
    ClusterId,
    /// A set of environment values.
    ConfigId,
    /// One value of a config.
    ConfigItemId,
    /// One rollout of one service.
    DeploymentId,
    /// A hostname that routes hang on.
    DomainId,
    /// A token with which a host may join the cluster.
    JoinTokenId,
    /// One proposed command; the same id proposed twice takes effect once.
    OperationId,
    /// A group of resources of an account.
    ProjectId,
    /// One container of one deployment on one node.
    ReplicaId,
    /// A path prefix of a domain that leads to a service.
    RouteId,
    /// A set of sealed values.
    SecretId,
    /// One value of a secret.
    SecretItemId,
    /// A container image run as N replicas: a service or a worker.
    ServiceId,
    /// A login of the web interface.
    SessionId,
}

/// A node of the cluster. Counted by the replicated state and never given out twice: a wiped disk rejoins under a new
/// one, because consensus cannot tell a node that forgot its votes from one that never voted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the values that an item of a secret has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretValueId {
    /// Which item.
    pub item: SecretItemId,
    /// Counts its values, 1 for the first.
    pub version: u32,
}
