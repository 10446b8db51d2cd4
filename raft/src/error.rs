//! What can go wrong, as the rest of the daemon sees it.

use std::net::SocketAddr;
use std::path::PathBuf;

use model::{OperationId, Rejection};
use thiserror::Error;

use crate::authority::AuthorityError;
use crate::credentials::CredentialsError;

/// Why a node did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] storage::DataDirError),
    /// The keys of the cluster cannot be kept or taken in.
    #[error(transparent)]
    Keyring(#[from] storage::KeyringError),
    /// A store inside the data folder cannot be used.
    #[error("cannot open the stores in {path}")]
    Store {
        /// The data folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: storage::StorageError,
    },
    /// The folder holds no node and nothing says how to make one.
    #[error(
        "{path} holds no node yet: found a new cluster, or join one with a token, or point to the folder that holds this node"
    )]
    NoNode {
        /// The data folder.
        path: PathBuf,
    },
    /// The peer address is not free.
    #[error("cannot listen for peers on {addr}: free the port or choose another peer address")]
    Listen {
        /// Where it tried.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The cluster did not let this node in.
    #[error("the cluster at {addr} refuses to let this node join")]
    JoinRefused {
        /// Whom it asked.
        addr: String,
        /// Why.
        #[source]
        source: Rejection,
    },
    /// The cluster could not be asked.
    #[error("cannot join through {addr}: {reason}")]
    JoinFailed {
        /// Whom it asked.
        addr: String,
        /// What happened and what to do.
        reason: String,
    },
    /// The join token does not say which cluster it is for.
    #[error(
        "the join token carries no digest of the cluster's certificate authority (it must read gobj_..._<64 hex digits>), \
         so this node could not tell its cluster from another: make a new one with `goblins token create`"
    )]
    TokenWithoutDigest,
    /// What this node proves with who it is cannot be used.
    #[error("{path} cannot be used: restore it, or delete it to have a new one made from the state of this node")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CredentialsError,
    },
    /// The credentials are of another node.
    #[error(
        "{path} belongs to {found}, and this data folder to {expected}: files were mixed up; delete it to have a new one \
         made from the state of this node"
    )]
    OtherCredentials {
        /// The file.
        path: PathBuf,
        /// Whose they are.
        found: String,
        /// Whose they should be.
        expected: String,
    },
    /// The clock cannot be right.
    #[error("this node's clock says {now}, but its own certificate begins at {begins}: set the clock and start again")]
    Clock {
        /// By the clock.
        now: String,
        /// What shows that it is wrong.
        begins: String,
    },
    /// This node cannot be certified.
    #[error("cannot certify this node")]
    Authority(#[source] AuthorityError),
    /// Threads or intervals cannot be set up.
    #[error("cannot set up consensus: {0}")]
    Setup(String),
    /// The first entries of a new cluster were not accepted.
    #[error("cannot found the cluster")]
    Found(#[source] SubmitError),
}

/// Why a command was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// It was decided, and refused. Nothing changed.
    #[error("refused")]
    Rejected(#[source] Rejection),
    /// It was not proposed anywhere, because no leader could be reached. Nothing changed; try again later.
    #[error("the cluster cannot take writes: {0}")]
    Unavailable(String),
    /// It was proposed, but it is not known what became of it. Submitting it again under the same operation id is safe.
    #[error("it is not known whether operation {operation} took effect; submit it again under the same operation id")]
    OutcomeUnknown {
        /// Under which id it was proposed.
        operation: OperationId,
    },
}

/// Why a linearizable read could not be served. A local one can.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the cluster cannot serve a consistent read: {0}")]
pub struct Unavailable(pub String);

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |it| it.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
