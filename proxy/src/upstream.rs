//! Connections to replicas and to other proxies: opened, kept for a while, used again. One pool a worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::body::RequestBody;

const CONNECT: Duration = Duration::from_millis(200);
/// Two round trips and two signatures, on a host that may be busy.
const HANDSHAKE: Duration = Duration::from_millis(1000);
/// Unacknowledged for this long, a connection is dead: its host is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);
/// Well under what backends allow: some close idle connections after 5 s, and a request must not meet that.
const IDLE: Duration = Duration::from_secs(3);
/// What must not be sent twice goes out only on a connection that was in use just now.
const JUST_USED: Duration = Duration::from_millis(250);
const MOST_IDLE: usize = 64;
/// An answer that takes longer than this makes us ask whether the other host is still there.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often that is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A host that takes this long to take a connection is given up, when its request can be tried elsewhere at no risk ...
const GIVE_UP: Duration = Duration::from_millis(150);
/// ... and when giving it up means that the request has failed, so there is no hurry.
const GIVE_UP_FOR_GOOD: Duration = Duration::from_secs(2);

/// An idle connection.
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// The idle connections of one worker.
#[derive(Clone, Default)]
pub(crate) struct Pool(Rc<RefCell<HashMap<SocketAddr, Vec<Idle>>>>);

/// A connection in use.
pub(crate) struct Lease {
    pub(crate) sender: SendRequest<RequestBody>,
    /// Whether a request has gone over it before.
    pub(crate) reused: bool,
    addr: SocketAddr,
    pool: Pool,
}

/// Which connections will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Any that is open.
    Any,
    /// One in use just now, or a new one.
    JustUsed,
    /// A new one.
    New,
}

/// What the other end must prove, and we to it.
pub(crate) type Secured = (Arc<ClientConfig>, ServerName<'static>);

impl Pool {
    /// A connection to this address, over TLS where the other end has to prove something. An address is always asked
    /// for in the same way: it is a replica's, or a proxy's.
    pub(crate) async fn lease(
        &self,
        addr: SocketAddr,
        secured: Option<Secured>,
        freshness: Freshness,
    ) -> io::Result<Lease> {
        if let Some(sender) = self.idle(addr, freshness) {
            return Ok(Lease {
                sender,
                reused: true,
                addr,
                pool: self.clone(),
            });
        }
        let stream = connect(addr, CONNECT).await?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        let sender = match secured {
            None => speak(stream).await?,
            Some((config, name)) => {
                let shaken = timeout(HANDSHAKE, TlsConnector::from(config).connect(name, stream));
                let shaken = tokio::select! {
                    shaken = shaken => shaken.unwrap_or_else(|_| Err(late("a TLS handshake", HANDSHAKE))),
                    error = gone(addr, Stake::Nothing) => Err(error),
                };
                speak(shaken?).await?
            }
        };
        Ok(Lease {
            sender,
            reused: false,
            addr,
            pool: self.clone(),
        })
    }

    fn idle(&self, addr: SocketAddr, freshness: Freshness) -> Option<SendRequest<RequestBody>> {
        let limit = match freshness {
            Freshness::Any => IDLE,
            Freshness::JustUsed => JUST_USED,
            Freshness::New => return None,
        };
        let mut all = self.0.borrow_mut();
        let idle = all.get_mut(&addr)?;
        while let Some(Idle { mut sender, since }) = idle.pop() {
            if since.elapsed() > limit {
                // The one put back last is the freshest: all others are older still.
                if limit == IDLE {
                    idle.clear();
                } else {
                    idle.push(Idle { sender, since });
                }
                return None;
            }
            if matches!(sender.ready().now_or_never(), Some(Ok(()))) {
                return Some(sender);
            }
        }
        None
    }

    /// Closes what has been idle for too long, and forgets addresses that nobody talks to.
    pub(crate) fn sweep(&self) {
        self.0.borrow_mut().retain(|_, idle| {
            idle.retain(|it| it.since.elapsed() <= IDLE && !it.sender.is_closed());
            !idle.is_empty()
        });
    }

    /// Drops the idle connections to an address that is not there any more.
    pub(crate) fn forget(&self, addr: SocketAddr) {
        self.0.borrow_mut().remove(&addr);
    }

    fn put(&self, addr: SocketAddr, sender: SendRequest<RequestBody>) {
        let mut all = self.0.borrow_mut();
        let idle = all.entry(addr).or_default();
        if idle.len() < MOST_IDLE {
            idle.push(Idle {
                sender,
                since: Instant::now(),
            });
        }
    }
}

async fn speak<S>(stream: S) -> io::Result<SendRequest<RequestBody>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::task::spawn_local(async move {
        // Whoever waits for an answer on it is told; there is nobody else to tell.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

async fn connect(addr: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    timeout(limit, TcpStream::connect(addr))
        .await
        .unwrap_or_else(|_| Err(late("a connection", limit)))
}

fn late(what: &str, limit: Duration) -> io::Error {
    let text = format!("no answer to {what} within {} ms", limit.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// What is lost when a host is given up that is there after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stake {
    /// Nothing: the request goes elsewhere.
    Nothing,
    /// The request.
    Request,
}

/// Resolves when an address takes no more connections. A host that lost its power closes nothing, so a request that
/// is in flight to it would wait for as long as the kernel does; one that is only slow still takes connections.
pub(crate) async fn gone(addr: SocketAddr, stake: Stake) -> io::Error {
    let limit = match stake {
        Stake::Nothing => GIVE_UP,
        Stake::Request => GIVE_UP_FOR_GOOD,
    };
    let mut pause = PATIENCE;
    loop {
        sleep(pause).await;
        if let Err(error) = connect(addr, limit).await {
            return error;
        }
        pause = ASK_AGAIN;
    }
}

impl Lease {
    /// Its answer has been read to the end: others may use it.
    pub(crate) fn give_back(self) {
        let Self {
            mut sender, addr, pool, ..
        } = self;
        if sender.is_closed() {
            return;
        }
        if sender.is_ready() {
            pool.put(addr, sender);
            return;
        }
        // The connection notices the end of the answer a moment after its reader.
        tokio::task::spawn_local(async move {
            if let Ok(Ok(())) = timeout(CONNECT, sender.ready()).await {
                pool.put(addr, sender);
            }
        });
    }
}
