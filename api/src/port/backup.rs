//! Copies of the whole state, for whoever keeps them elsewhere.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::{State, Timestamp};
use thiserror::Error;
use zeroize::Zeroizing;

use super::KeyringFault;

/// Takes backups.
#[async_trait]
pub trait Backups: Send + Sync + 'static {
    /// A backup of exactly this state. With a passphrase it holds the cluster's keys too, sealed under it.
    ///
    /// # Errors
    /// See [`BackupFault`].
    async fn take(&self, state: State, passphrase: Option<Zeroizing<String>>) -> Result<BackupStream, BackupFault>;
}

/// A backup as it is written.
pub struct BackupStream {
    /// When it was taken.
    pub created_at: Timestamp,
    /// The file, piece by piece. An error means that what came before is worth nothing.
    pub pieces: BoxStream<'static, io::Result<Bytes>>,
}

/// Why no backup can be taken.
#[derive(Clone, Debug, Error)]
pub enum BackupFault {
    /// As many are being taken as a node does at a time.
    #[error("This node is busy with {0} other backups.")]
    Busy(usize),
    /// The keys cannot be put into it.
    #[error(transparent)]
    Keyring(#[from] KeyringFault),
}
