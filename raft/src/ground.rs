//! What a node stands on: how it reaches others, and where it keeps its log and its state. In production that is the host
//! that it runs on; a simulation brings both, and nothing else of a node is different there.

mod disks;
mod host;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::disks::{Disks, LogDisk, Opened, StateDisk};
use self::host::{HostDisks, Tcp};

/// An ordered stream of bytes to another node, below TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// One of them.
pub type Wire = Box<dyn Stream>;

/// How a node reaches others.
pub trait Wires: fmt::Debug + Send + Sync + 'static {
    /// Connects to whoever listens at `HOST:PORT`. The caller gives up in time.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Wire>>;

    /// Listens.
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>>;
}

/// Where others come in.
pub trait Incoming: Send + 'static {
    /// The next connection, and where it comes from. Cancel-safe.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Wire, SocketAddr)>>;
}

/// What a node stands on.
#[derive(Clone)]
pub struct Ground {
    pub(crate) wires: Arc<dyn Wires>,
    pub(crate) disks: Arc<dyn Disks>,
}

impl Ground {
    /// The host that this process runs on.
    pub(crate) fn host() -> Self {
        Self::new(tcp(), Arc::new(HostDisks))
    }

    /// Another ground.
    #[must_use]
    pub fn new(wires: Arc<dyn Wires>, disks: Arc<dyn Disks>) -> Self {
        Self { wires, disks }
    }
}

/// The network of this host.
pub(crate) fn tcp() -> Arc<dyn Wires> {
    Arc::new(Tcp)
}
