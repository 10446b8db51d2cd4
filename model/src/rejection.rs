//! Why a command was refused. A refused command changes nothing. Texts for clients are made at the border.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// [`crate::Account`]
    Account,
    /// [`crate::ApiKey`]
    ApiKey,
    /// [`crate::Project`]
    Project,
    /// [`crate::Service`]
    Service,
    /// [`crate::Domain`]
    Domain,
    /// [`crate::Route`]
    Route,
    /// [`crate::Deployment`]
    Deployment,
    /// [`crate::Node`]
    Node,
    /// [`crate::Replica`]
    Replica,
    /// [`crate::Config`]
    Config,
    /// [`crate::ConfigItem`]
    ConfigItem,
    /// [`crate::Secret`]
    Secret,
    /// [`crate::SecretItem`]
    SecretItem,
    /// A [`crate::Service`] without a port.
    Worker,
    /// [`crate::JoinToken`]
    JoinToken,
    /// [`crate::Session`]
    Session,
    /// The cluster's keys.
    Keyring,
    /// The cluster's certificate authority.
    Authority,
}

impl Kind {
    /// As clients see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Account => "user",
            Self::ApiKey => "api_key",
            Self::Project => "project",
            Self::Service => "service",
            Self::Domain => "domain",
            Self::Route => "route",
            Self::Deployment => "deployment",
            Self::Node => "node",
            Self::Replica => "replica",
            Self::Config => "config",
            Self::ConfigItem => "config_item",
            Self::Secret => "secret",
            Self::SecretItem => "secret_item",
            Self::Worker => "worker",
            Self::JoinToken => "join_token",
            Self::Session => "session",
            Self::Keyring => "keyring",
            Self::Authority => "authority",
        }
    }
}

/// A field that refers to another resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// `project`
    Project,
    /// `domain`
    Domain,
    /// `service`
    Service,
    /// `config`
    Config,
    /// `secret`
    Secret,
    /// `registry_secret`
    RegistrySecret,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Rejection {
    /// The object acted on does not exist, or belongs to somebody else.
    #[error("no such {kind:?}: {id}")]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// Under which id.
        id: Uuid,
    },
    /// A field names an object that does not exist or belongs to somebody else. All such fields are reported together.
    #[error("referenced objects do not exist: {0:?}")]
    BadReferences(Vec<(Field, Uuid)>),
    /// Another resource of this kind has this name in the account.
    #[error("the name is taken by another {0:?} of this account")]
    NameTaken(Kind),
    /// Another domain, of whichever account, has this hostname.
    #[error("the hostname is taken")]
    HostnameTaken,
    /// Another item of this config or secret has this key.
    #[error("the key is taken by another {0:?}")]
    KeyTaken(Kind),
    /// Another account has this user name.
    #[error("the user name is taken")]
    UsernameTaken,
    /// A project keeps its default config and secret as long as it exists.
    #[error("a default {0:?} goes with its project only")]
    DefaultStays(Kind),
    /// There must be an admin.
    #[error("there would be no admin left")]
    LastAdmin,
    /// The object is still used.
    #[error("{kind:?} is in use by {used_by}")]
    InUse {
        /// What was to be deleted.
        kind: Kind,
        /// By what: a list for people.
        used_by: String,
    },
    /// The account has as many active keys as it may have.
    #[error("at most {0} active API keys")]
    TooManyKeys(u32),
    /// The plan was made from a state that has moved on; plan again.
    #[error("the state has moved on since this was planned")]
    Stale,
    /// The account has used up its allowance.
    #[error("throttled for {seconds} seconds")]
    Throttled {
        /// After how many seconds one more use fits.
        seconds: u32,
    },
    /// The idempotency key was used before, for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The object is not at the revision that the client named.
    #[error("the object has changed since it was read")]
    PreconditionFailed,
    /// A report from a node that the state does not expect it from.
    #[error("node {node} reported under a boot id that is not its newest")]
    WrongBoot {
        /// Who reported.
        node: u64,
    },
    /// The join token is unknown, expired or used up.
    #[error("the join token is unknown, expired or used up: make a new one with `goblins token create`")]
    BadJoinToken,
    /// Another node has this name or this address.
    #[error("{0}")]
    NodeConflict(String),
    /// The cluster exists already.
    #[error("the cluster has already been initialised")]
    AlreadyInitialised,
    /// The actor may not do this.
    #[error("not permitted")]
    Forbidden,
    /// Somebody must be left who may vote.
    #[error("every other node is set never to vote")]
    LastVoter,
    /// Folders of hosts are not everybody's to mount.
    #[error("only an admin may mount folders of the host")]
    VolumesNeedAdmin,
    /// What was known of the client when its request was judged has changed: judge it anew.
    #[error("the account or its credentials have changed since the request was judged")]
    Unwarranted,
}
