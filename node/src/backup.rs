//! Backups: written while they are sent, and looked at on the disk.

mod inspect;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use api::{BackupFault, BackupStream};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use model::State;
use raft::Cluster;
use storage::{BackupHeader, write_backup};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use zeroize::Zeroizing;

use crate::adapters::{chain, now};
use crate::keyring::Keyrings;

pub(crate) use inspect::{inspect, when};

/// Backups at a time. Each keeps the state of its moment in memory, as far as that differs from today's.
const AT_A_TIME: usize = 2;
/// Bytes sent in one piece.
const PIECE: usize = 64 << 10;
/// Pieces written ahead of the client.
const AHEAD: usize = 4;
/// A client that takes nothing for this long has gone.
const STALLED: Duration = Duration::from_secs(60);

/// The API's way to backups of this node.
pub(crate) struct Backups {
    cluster: Cluster,
    keyrings: Arc<Keyrings>,
    room: Arc<Semaphore>,
}

impl Backups {
    pub(crate) fn new(cluster: Cluster, keyrings: Arc<Keyrings>) -> Self {
        Self {
            cluster,
            keyrings,
            room: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }
}

#[async_trait]
impl api::Backups for Backups {
    async fn take(&self, state: State, passphrase: Option<Zeroizing<String>>) -> Result<BackupStream, BackupFault> {
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let permit = permit.map_err(|_| BackupFault::Busy(AT_A_TIME))?;
        let keyring = match passphrase {
            Some(passphrase) => Some(self.keyrings.document(passphrase, state.key_versions()).await?),
            None => None,
        };
        let (cluster, term, created_at) = (self.cluster.cluster_id(), self.cluster.status().term, now());
        let (sender, receiver) = mpsc::channel(AHEAD);
        let handle = Handle::current();
        tokio::task::spawn_blocking(move || {
            let header = BackupHeader::of(&state, cluster, term, created_at, env!("CARGO_PKG_VERSION"));
            let mut outlet = Outlet {
                sender,
                handle,
                piece: BytesMut::with_capacity(PIECE),
            };
            let keyring = keyring.as_ref().map(|it| it.as_str());
            if let Err(error) = write_backup(&mut outlet, &header, keyring, &state) {
                tracing::warn!(error = chain(&error), "a backup was not taken to its end");
                // The client sees that it broke off; if it has gone, nobody needs to.
                let _ = outlet.send(Err(io::Error::other("the backup broke off")));
            }
            drop(permit);
        });
        let pieces = futures::stream::unfold(receiver, |mut it| async move { Some((it.recv().await?, it)) });
        Ok(BackupStream {
            created_at,
            pieces: pieces.boxed(),
        })
    }
}

/// Where a backup goes: to a client, as fast as that takes it.
struct Outlet {
    sender: mpsc::Sender<io::Result<Bytes>>,
    handle: Handle,
    piece: BytesMut,
}

impl Outlet {
    fn send(&mut self, piece: io::Result<Bytes>) -> io::Result<()> {
        let sent = self.handle.block_on(self.sender.send_timeout(piece, STALLED));
        sent.map_err(|_| {
            io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the client has gone or takes nothing any more",
            )
        })
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.send(Ok(piece))
    }
}
