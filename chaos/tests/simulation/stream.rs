//! The network as a node sees it: it connects, listens, reads and writes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use raft::{Incoming, Wire, Wires};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{Door, Host, Net, Segment};

/// Where every node listens for peers.
pub const PORT: u16 = 7401;
/// How soon a request for a connection that got no answer is sent again.
const KNOCK_AGAIN: Duration = Duration::from_secs(1);
/// Connections that wait to be taken, at most.
const BACKLOG: usize = 128;

/// Where a host is.
pub fn address(host: Host) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), PORT)
}

fn host_at(address: SocketAddr) -> Option<Host> {
    match address.ip() {
        IpAddr::V4(ip) => Some(ip.octets()[3]),
        IpAddr::V6(_) => None,
    }
}

/// The network, seen from one host.
pub struct SimWires {
    pub net: Net,
    pub host: Host,
}

impl fmt::Debug for SimWires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimWires({})", self.host)
    }
}

impl Wires for SimWires {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Wire>> {
        async move {
            let address: SocketAddr = address.parse().map_err(io::Error::other)?;
            let to = host_at(address).ok_or(io::ErrorKind::AddrNotAvailable)?;
            loop {
                match self.knock(to).await {
                    Knock::Open(stream) => return Ok(Box::new(stream) as Wire),
                    Knock::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
                    Knock::Silence => tokio::time::sleep(KNOCK_AGAIN).await,
                }
            }
        }
        .boxed()
    }

    fn listen(&self, _at: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        async move {
            self.net.lock().doors.insert(self.host, Door::default());
            let incoming = SimIncoming {
                net: self.net.clone(),
                host: self.host,
            };
            Ok(Box::new(incoming) as Box<dyn Incoming>)
        }
        .boxed()
    }
}

enum Knock {
    Open(SimStream),
    Refused,
    Silence,
}

impl SimWires {
    async fn knock(&self, to: Host) -> Knock {
        let host = self.host;
        let there = {
            let mut net = self.net.lock();
            net.passage(host, to).filter(|_| !net.is_cut(host, to))
        };
        let Some(there) = there else { return Knock::Silence };
        tokio::time::sleep(Duration::from_micros(there)).await;
        let (back, waker) = {
            let mut net = self.net.lock();
            let plug = net.plugs.get(&to).copied().unwrap_or_default();
            let back = net.passage(to, host).filter(|_| !net.is_cut(to, host) && plug.is_on);
            let Some(back) = back else { return Knock::Silence };
            let is_open = net.doors.get(&to).is_some_and(|it| it.waiting.len() < BACKLOG);
            if is_open {
                let [out, home] = net.connect(host, to);
                let theirs = SimStream::new(&self.net, home, out);
                let door = net.doors.entry(to).or_default();
                door.waiting.push_back((theirs, address(host)));
                let waker = door.waker.take();
                ((back, Some((out, home))), waker)
            } else {
                ((back, None), None)
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        tokio::time::sleep(Duration::from_micros(back.0)).await;
        match back.1 {
            Some((out, home)) => Knock::Open(SimStream::new(&self.net, out, home)),
            None => Knock::Refused,
        }
    }
}

struct SimIncoming {
    net: Net,
    host: Host,
}

impl Incoming for SimIncoming {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Wire, SocketAddr)>> {
        poll_fn(|cx| {
            let mut net = self.net.lock();
            let door = net.doors.entry(self.host).or_default();
            match door.waiting.pop_front() {
                Some((stream, from)) => Poll::Ready(Ok((Box::new(stream) as Wire, from))),
                None => {
                    door.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .boxed()
    }
}

/// One end of a connection.
pub struct SimStream {
    net: Net,
    out: u64,
    home: u64,
}

impl SimStream {
    fn new(net: &Net, out: u64, home: u64) -> Self {
        Self {
            net: net.clone(),
            out,
            home,
        }
    }
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut net = self.net.lock();
        match net.take(self.home, buf.remaining()) {
            Some(Ok(bytes)) => {
                buf.put_slice(&bytes);
                let writer = net.pipes.get_mut(&self.home).and_then(|it| it.writer.take());
                drop(net);
                if let Some(writer) = writer {
                    writer.wake();
                }
                Poll::Ready(Ok(()))
            }
            Some(Err(error)) => Poll::Ready(Err(error)),
            None => {
                if let Some(pipe) = net.pipes.get_mut(&self.home) {
                    pipe.reader = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // To the reader it would look like the end.
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut net = self.net.lock();
        let is_closed = net.pipes.get(&self.out).is_none_or(|it| it.is_closed);
        if is_closed || net.is_reset(self.home) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if net.is_full(self.out) {
            if let Some(pipe) = net.pipes.get_mut(&self.out) {
                pipe.writer = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        net.send(self.out, Segment::Data(bytes.to_vec()));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut net = self.net.lock();
        if net.pipes.get(&self.out).is_some_and(|it| !it.is_closed) {
            net.send(self.out, Segment::End);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let mut net = self.net.lock();
        if net.pipes.get(&self.out).is_some_and(|it| !it.is_closed) {
            net.send(self.out, Segment::End);
        }
        if let Some(pipe) = net.pipes.get_mut(&self.home) {
            pipe.is_unread = true;
        }
    }
}
