//! Stopping a replica without losing a request.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::backend::{FakeBackend, reply};
use crate::client::Client;
use crate::{local, proxy, replica, table};

#[tokio::test]
async fn a_drain_waits_for_a_slow_request_and_sends_new_ones_elsewhere() {
    let (arrived, has_arrived) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (arrived, may_go_on) = (Arc::new(Mutex::new(arrived)), Arc::new(Mutex::new(may_go_on)));
    let slow = FakeBackend::start(move |seen| {
        arrived.lock().expect("alone").send(()).expect("the test waits");
        may_go_on.lock().expect("alone").recv().expect("the test goes on");
        reply(&mut seen.stream, "slow")
    });
    let other = FakeBackend::echo("other");
    let (proxy, addr) = proxy(table(1, &[("/slow", &[local(slow.addr)]), ("/", &[local(other.addr)])]));
    let waiting = std::thread::spawn(move || Client::connect(addr).get("/slow"));
    tokio::task::spawn_blocking(move || has_arrived.recv())
        .await
        .expect("joined")
        .expect("arrived");
    assert!(
        !proxy.drain(replica(1), Duration::from_millis(50)).await,
        "a request is in flight"
    );
    let late = Client::connect(addr).get("/slow");
    assert_eq!(late.status, 503, "nothing new is sent to it");
    go_on.send(()).expect("it waits");
    assert!(
        proxy.drain(replica(1), Duration::from_secs(60)).await,
        "the request has ended"
    );
    assert_eq!(waiting.join().expect("ended").body, "slow");
    assert_eq!(slow.requests(), 1);
}

#[tokio::test]
async fn a_proxy_that_stops_lets_requests_end() {
    let (arrived, has_arrived) = mpsc::channel();
    let arrived = Arc::new(Mutex::new(arrived));
    let slow = FakeBackend::start(move |seen| {
        arrived.lock().expect("alone").send(()).expect("the test waits");
        std::thread::sleep(Duration::from_millis(300));
        reply(&mut seen.stream, "done")
    });
    let (proxy, addr) = proxy(table(1, &[("/", &[local(slow.addr)])]));
    let waiting = std::thread::spawn(move || Client::connect(addr).get("/"));
    tokio::task::spawn_blocking(move || has_arrived.recv())
        .await
        .expect("joined")
        .expect("arrived");
    proxy.shutdown(Duration::from_secs(60)).await;
    assert_eq!(waiting.join().expect("ended").body, "done");
    assert!(std::net::TcpStream::connect(addr).is_err(), "nobody listens any more");
}
