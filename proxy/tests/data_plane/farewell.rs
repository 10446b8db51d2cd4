//! A proxy that stops, as its clients and the other proxies see it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use planner::Target;

use crate::backend::FakeBackend;
use crate::client::Client;
use crate::{local, proxy, table};

const LONG: Duration = Duration::from_secs(60);

/// Sends over one kept connection, and over a new one whenever it is told that the last answer was the last.
fn careful_client(addr: SocketAddr, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let (mut client, mut sent) = (Client::connect(addr), 0);
        while !stop.load(Ordering::SeqCst) {
            let answer = if sent % 2 == 0 {
                client.get("/")
            } else {
                client.post("/", "x")
            };
            assert_eq!(answer.status, 200, "request {sent}: {answer:?}");
            sent += 1;
            if answer.head.to_lowercase().contains("connection: close") {
                client = Client::connect(addr);
            }
        }
        sent
    })
}

#[tokio::test]
async fn a_proxy_that_stops_costs_those_who_come_through_others_nothing() {
    let (far_backend, near_backend) = (FakeBackend::echo("far"), FakeBackend::echo("near"));
    let (far, far_addr) = proxy(table(1, &[("/", &[local(far_backend.addr)])]));
    let (_near, near_addr) = proxy(table(
        1,
        &[("/", &[Target::Remote(far_addr), local(near_backend.addr)])],
    ));
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| careful_client(near_addr, stop.clone())).collect();
    while far_backend.requests() < 100 {
        tokio::task::yield_now().await;
    }
    far.shutdown(LONG).await;
    let (at_the_end, seen) = (far_backend.requests(), near_backend.requests());
    while near_backend.requests() < seen + 100 {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(client.join().expect("no request failed") > 0);
    }
    assert_eq!(far_backend.requests(), at_the_end);
}

#[tokio::test]
async fn a_kept_connection_is_answered_once_more_and_told_that_it_was_the_last_time() {
    let backend = FakeBackend::echo("web");
    let (proxy, addr) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let (mut kept, mut idle) = (Client::connect(addr), Client::connect(addr));
    assert_eq!((kept.get("/").status, idle.get("/").status), (200, 200));
    let leaving = tokio::spawn(async move { proxy.shutdown(LONG).await });
    let last = tokio::task::spawn_blocking(move || {
        // It knows of the stop once an answer says so.
        loop {
            let answer = kept.post("/", "x");
            assert_eq!(answer.status, 200);
            if answer.head.to_lowercase().contains("connection: close") {
                break;
            }
        }
        // Whoever comes now is still served.
        assert_eq!(Client::connect(addr).get("/").status, 200);
    });
    last.await.expect("served");
    leaving.await.expect("it does not wait for the idle one for ever");
    assert!(std::net::TcpStream::connect(addr).is_err(), "nobody listens any more");
    drop(idle);
}
