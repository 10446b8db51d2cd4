//! Connections of others: each shakes hands in a task of its own, so that a slow or silent one holds up nobody.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::complaints::Complaints;
use crate::ground::{Incoming, Wire};
use crate::identity::{self, Certified};
use crate::tls::{Tls, explain};

/// How long a client may take to prove who it is.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(3);
/// Handshakes under way at most; who comes while there are so many is sent away.
const HANDSHAKES_MAX: usize = 512;
/// Connections of those who have shown no certificate, at most, and how long each may last: they want to join, which takes
/// seconds.
const STRANGERS_MAX: usize = 64;
const STRANGER_LIMIT: Duration = Duration::from_secs(15);
/// Handed over and not yet taken.
const QUEUE: usize = 64;
/// How soon to go on after the operating system gave no connection, as when files have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection with TLS, and who its other end is.
pub(crate) struct Secured {
    stream: TlsStream<Wire>,
    peer: PeerInfo,
    /// Held by a stranger for as long as it is connected, and when that is over.
    visit: Option<(OwnedSemaphorePermit, Pin<Box<Sleep>>)>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerInfo {
    /// What its certificate says; `None` if it has shown none.
    pub(crate) certified: Option<Certified>,
}

/// Accepts connections until the receiver is dropped.
pub(crate) async fn accept(mut listener: Box<dyn Incoming>, tls: Arc<Tls>, ready: mpsc::Sender<io::Result<Secured>>) {
    let limit = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
    let complaints = Arc::new(Complaints::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        let (wire, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of a peer");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = limit.clone().try_acquire_owned() else {
            continue;
        };
        let (tls, ready, complaints) = (tls.clone(), ready.clone(), complaints.clone());
        let strangers = strangers.clone();
        tokio::spawn(async move {
            let secured = tokio::time::timeout(HANDSHAKE_LIMIT, secure(wire, &tls, strangers)).await;
            drop(permit);
            match secured.unwrap_or_else(|_| Err("the TLS handshake did not end in time".to_owned())) {
                Ok(secured) => drop(ready.send(Ok(secured)).await),
                Err(reason) if complaints.is_due() => {
                    tracing::warn!(%from, reason, "a connection to the peer port was refused");
                }
                Err(reason) => tracing::debug!(%from, reason, "a connection to the peer port was refused"),
            }
        });
    }
}

/// A channel of the right size for [`accept`].
pub(crate) fn queue() -> (mpsc::Sender<io::Result<Secured>>, mpsc::Receiver<io::Result<Secured>>) {
    mpsc::channel(QUEUE)
}

async fn secure(wire: Wire, tls: &Tls, strangers: Arc<Semaphore>) -> Result<Secured, String> {
    // Dropped: a node that founds its cluster has nobody to talk to yet.
    let current = tls.current().ok_or("this node has no certificate yet")?;
    let acceptor = TlsAcceptor::from(current.server.clone());
    let stream = acceptor.accept(wire).await.map_err(|it| explain(&it))?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certified = match shown {
        // The verifier has seen that it is genuine.
        Some(certificate) => Some(identity::read(certificate).map_err(|it| it.to_string())?),
        None => None,
    };
    let visit = match certified {
        Some(_) => None,
        None => {
            let permit = strangers.try_acquire_owned();
            let permit = permit.map_err(|_| "too many are connected already that have shown no certificate")?;
            Some((permit, Box::pin(tokio::time::sleep(STRANGER_LIMIT))))
        }
    };
    Ok(Secured {
        stream,
        peer: PeerInfo { certified },
        visit,
    })
}

impl Connected for Secured {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let is_over = |(_, end): &mut (_, Pin<Box<Sleep>>)| end.as_mut().poll(cx).is_ready();
        if self.visit.as_mut().is_some_and(is_over) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
