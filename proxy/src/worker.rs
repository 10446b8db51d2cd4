//! One thread: accepts connections and serves each of them.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::forward::Forwarder;
use crate::handle::Shared;
use crate::upstream::Pool;

/// How long a client may take for the head of a request, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(60);
const SWEEP: Duration = Duration::from_secs(1);
/// When the process has no more descriptors, the kernel has to be asked again after a moment.
const BREATH: Duration = Duration::from_millis(20);
/// Requests in flight that have not ended by then are cut when the proxy stops.
const FAREWELL: Duration = Duration::from_secs(60);

/// Runs worker number `n` to its end.
pub(crate) fn run(n: usize, listener: std::net::TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "a proxy thread has no runtime; its share of requests waits"),
    };
    LocalSet::new().block_on(&runtime, serve(n, listener, shared, stop));
}

async fn serve(n: usize, listener: std::net::TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a proxy thread cannot use its listener"),
    };
    let pool = Pool::default();
    let forwarder = Forwarder::new(shared, pool.clone(), n);
    let connections = TaskTracker::new();
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    let work = connection(stream, client, forwarder.clone(), stop.clone());
                    connections.spawn_local(work);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            },
            _ = sweep.tick() => pool.sweep(),
        }
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
}

async fn connection(stream: TcpStream, client: std::net::SocketAddr, forwarder: Forwarder, stop: CancellationToken) {
    // A connection that is gone already fails at its first read.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let forwarder = forwarder.clone();
        async move { Ok::<_, std::convert::Infallible>(forwarder.answer(request, client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%client, %error, "a connection ended early");
    }
}
