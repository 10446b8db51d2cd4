//! The ground in production: TCP, and the stores in the data folder.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use storage::{DataDir, OpenError, Stores};
use tokio::net::{TcpListener, TcpStream};

use super::{Disks, Incoming, Opened, Wire, Wires};

/// TCP of this host.
#[derive(Debug)]
pub(super) struct Tcp;

impl Wires for Tcp {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Wire>> {
        async move { at_once(TcpStream::connect(address).await?) }.boxed()
    }

    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        async move {
            let listener: Box<dyn Incoming> = Box::new(TcpListener::bind(at).await?);
            Ok(listener)
        }
        .boxed()
    }
}

impl Incoming for TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Wire, SocketAddr)>> {
        async move {
            let (stream, from) = TcpListener::accept(self).await?;
            Ok((at_once(stream)?, from))
        }
        .boxed()
    }
}

/// Small messages are not held back for larger ones.
fn at_once(stream: TcpStream) -> io::Result<Wire> {
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// The stores in the data folder.
pub(super) struct HostDisks;

impl Disks for HostDisks {
    fn open(&self, dir: &mut DataDir) -> Result<Opened, OpenError> {
        let Stores { log, state, snapshots } = dir.open_stores()?;
        Ok(Opened {
            log: Arc::new(log),
            state: Arc::new(state),
            snapshots,
        })
    }
}
