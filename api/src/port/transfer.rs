//! Leadership, given to another node.

use thiserror::Error;

/// Why leadership was not given to another node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransferFault {
    /// That node cannot lead now; says why.
    #[error("{0}")]
    Refused(String),
    /// There is no leader to be asked, or the other node did not take over.
    #[error("{0}")]
    Unavailable(String),
}
