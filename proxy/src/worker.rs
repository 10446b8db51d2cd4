//! One thread: accepts connections and serves each of them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::{HeaderValue, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::forward::Forwarder;
use crate::handle::Shared;
use crate::head::Client;
use crate::hop;
use crate::upstream::Pool;

/// How long a client may take for the head of a request, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(60);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;
const SWEEP: Duration = Duration::from_secs(1);
/// When the process has no more descriptors, the kernel has to be asked again after a moment.
const BREATH: Duration = Duration::from_millis(20);
/// Requests in flight that have not ended by then are cut when the proxy stops.
const FAREWELL: Duration = Duration::from_secs(60);
/// How long the proxy still takes connections and requests when it stops, while it tells everybody that it does: a
/// request may be on its way on any connection that is kept.
const LAST_CALL: Duration = Duration::from_secs(2);

/// A listener, and how it is spoken to.
pub(crate) struct Door {
    pub(crate) listener: std::net::TcpListener,
    /// It stays open when this process ends.
    pub(crate) is_kept: bool,
    /// `None` is plain HTTP for clients, and TLS for other proxies.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// Runs worker number `n` to its end.
pub(crate) fn run(n: usize, doors: Vec<Door>, shared: Arc<Shared>, stop: CancellationToken) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "a proxy thread has no runtime; its share of requests waits"),
    };
    LocalSet::new().block_on(&runtime, serve(n, doors, shared, stop));
}

async fn serve(n: usize, doors: Vec<Door>, shared: Arc<Shared>, stop: CancellationToken) {
    let pool = Pool::default();
    let connections = Connections {
        open: shared.open.clone(),
        forwarder: Forwarder::new(shared, pool.clone(), n),
        stop,
    };
    let doors = doors.into_iter().map(|door| connections.accept(door));
    tokio::select! {
        _ = join_all(doors) => {}
        () = sweep(pool) => {}
    }
    let _ = timeout(FAREWELL, connections.open.wait()).await;
}

async fn sweep(pool: Pool) {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        pool.sweep();
    }
}

/// Takes connections and answers them.
struct Connections {
    forwarder: Forwarder,
    /// Those of all workers.
    open: TaskTracker,
    stop: CancellationToken,
}

impl Connections {
    /// Takes connections until the proxy has stopped.
    async fn accept(&self, door: Door) {
        let listener = match TcpListener::from_std(door.listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "a proxy thread cannot use its listener"),
        };
        let tls = door.tls.map(TlsAcceptor::from);
        let welcome = |stream, addr| {
            let (tls, forwarder, stop) = (tls.clone(), self.forwarder.clone(), self.stop.clone());
            self.open.spawn_local(welcome(stream, addr, tls, forwarder, stop));
        };
        let mut nobody_is_left = std::pin::pin!(self.nobody_is_left());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = nobody_is_left.as_mut() => break,
            };
            match accepted {
                Ok((stream, addr)) => welcome(stream, addr),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(BREATH).await;
                }
            }
        }
        if door.is_kept {
            return;
        }
        // The kernel has taken these for us already; it would cut them when the listener is closed.
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, addr)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                welcome(stream, addr);
            }
        }
    }

    /// Resolves when the proxy stops and nobody talks to it any more, or has had the time to hear of it.
    async fn nobody_is_left(&self) {
        self.stop.cancelled().await;
        self.open.close();
        let _ = timeout(LAST_CALL, self.open.wait()).await;
    }
}

async fn welcome(
    stream: TcpStream,
    addr: SocketAddr,
    tls: Option<TlsAcceptor>,
    forwarder: Forwarder,
    stop: CancellationToken,
) {
    // A connection that is gone already fails at its first read.
    let _ = stream.set_nodelay(true);
    let client = |secure| Client {
        addr,
        secure,
        is_peer: false,
    };
    match tls {
        Some(tls) => {
            if let Some(stream) = shake_hands(tls, stream, addr).await {
                converse(stream, client(true), forwarder, stop).await;
            }
        }
        None => match first_word(&stream, &stop).await {
            Some(true) => welcome_peer(stream, addr, forwarder, stop).await,
            Some(false) => converse(stream, client(false), forwarder, stop).await,
            // It has not said a word.
            None => {}
        },
    }
}

/// Whether it is a TLS handshake that begins; `None` if nothing does, for long or while the proxy stops.
async fn first_word(stream: &TcpStream, stop: &CancellationToken) -> Option<bool> {
    let waited_long = async {
        tokio::select! {
            () = sleep(HEAD) => {}
            () = last_call(stop) => {}
        }
    };
    tokio::select! {
        it = speaks_tls(stream) => Some(it),
        () = waited_long => None,
    }
}

/// Resolves when the proxy stops and what is still idle is cut.
async fn last_call(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(LAST_CALL).await;
}

/// Whether the first byte is that of a TLS handshake (RFC 8446, section 5.1), which no HTTP request begins with.
async fn speaks_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0] == TLS_HANDSHAKE
}

/// Another proxy: it shows that it belongs to the cluster, or gets no answer.
async fn welcome_peer(stream: TcpStream, addr: SocketAddr, forwarder: Forwarder, stop: CancellationToken) {
    let Some(tls) = forwarder.peers().server() else {
        return tracing::debug!(%addr, "a proxy came before this node had its certificate");
    };
    let Some(stream) = shake_hands(TlsAcceptor::from(tls), stream, addr).await else {
        return;
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let Some(node) = shown.and_then(|it| forwarder.peers().member(it)) else {
        return tracing::warn!(%addr, "whoever came as a proxy of this cluster is no member of it");
    };
    tracing::trace!(%addr, %node, "another proxy has connected");
    let client = Client {
        addr,
        secure: true,
        is_peer: true,
    };
    converse(stream, client, forwarder, stop).await;
}

async fn shake_hands(tls: TlsAcceptor, stream: TcpStream, addr: SocketAddr) -> Option<TlsStream<TcpStream>> {
    match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => tracing::debug!(%addr, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%addr, "a TLS handshake took too long"),
    }
    None
}

async fn converse<S>(stream: S, client: Client, forwarder: Forwarder, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stopping = stop.clone();
    let service = service_fn(move |request| {
        let (forwarder, stopping) = (forwarder.clone(), stopping.clone());
        async move {
            let mut response = forwarder.answer(request, client).await;
            // Whoever is told so sends its next request elsewhere, instead of into a connection that is about to close.
            if stopping.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
                if client.is_peer {
                    hop::say_leaving(response.headers_mut());
                }
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = last_call(&stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(?client, %error, "a connection ended early");
    }
}
