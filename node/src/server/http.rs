//! Serving the API: every connection has limits, so that slow or endless ones use up nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long a client may take for the head of a request, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);
/// Bytes of a head beyond which a request is refused with 431.
const HEAD_BYTES: usize = 64 * 1024;
/// Connections at a time; who comes then waits for one to end.
const CONNECTIONS: usize = 8192;
/// How often a client that says nothing is asked whether it is still there.
const ALIVE: Duration = Duration::from_secs(15);
/// When the process has no more descriptors, the kernel has to be asked again after a moment.
const BREATH: Duration = Duration::from_millis(50);

/// Serves until told to stop, then until the requests that have begun are answered.
pub(super) async fn serve(listener: TcpListener, router: axum::Router, stop: CancellationToken) -> io::Result<()> {
    let open = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let builder = builder();
    let service = TowerToHyperService::new(router);
    while let Some(permit) = stop.run_until_cancelled(Arc::clone(&room).acquire_owned()).await {
        let stream = match stop.run_until_cancelled(listener.accept()).await {
            Some(Ok((stream, _))) => stream,
            Some(Err(error)) => {
                tracing::warn!(%error, "a connection to the API could not be accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
            None => break,
        };
        // A connection that is gone already fails at its first read.
        let _ = stream.set_nodelay(true);
        // A stream may be silent for hours, and its client gone without a word.
        let alive = TcpKeepalive::new()
            .with_time(ALIVE)
            .with_interval(ALIVE)
            .with_retries(3);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service.clone());
        let connection = open.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection to the API ended early");
            }
            drop(permit);
        });
    }
    open.shutdown().await;
    Ok(())
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD)
        .max_header_list_size(64 * 1024);
    builder
}
