//! Stopping a replica without losing a request.

use std::io::Write;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::backend::{FakeBackend, reply};
use crate::client::Client;
use crate::{local, proxy, replica, table};

const LONG: Duration = Duration::from_secs(60);

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
        !proxy.drain(replica(1), Duration::from_millis(50), LONG).await,
        "a request is in flight"
    );
    let late = Client::connect(addr).get("/slow");
    assert_eq!(late.status, 503, "nothing new is sent to it");
    go_on.send(()).expect("it waits");
    assert!(proxy.drain(replica(1), LONG, LONG).await, "the request has ended");
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
    proxy.shutdown(LONG).await;
    assert_eq!(waiting.join().expect("ended").body, "done");
    assert!(std::net::TcpStream::connect(addr).is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_connection_that_changed_its_protocol_outlives_requests_until_its_own_limit() {
    let backend = FakeBackend::start(|seen| {
        let agreed = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        seen.stream.write_all(agreed).expect("written");
        let mut reading = seen.stream.try_clone().expect("cloned");
        let _ = std::io::copy(&mut reading, &mut seen.stream);
        false
    });
    let (proxy, addr) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let mut client = Client::connect(addr);
    let agreed = client.send("GET / HTTP/1.1\r\nhost: web.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    assert_eq!(agreed.status, 101);
    let limit = Duration::from_millis(500);
    let drained = proxy.drain(replica(1), Duration::ZERO, limit).await;
    assert!(!drained, "it is open still");
    client.write(b"still there");
    assert_eq!(client.read_exact(11), b"still there");
    drop(client);
    assert!(proxy.drain(replica(1), LONG, LONG).await, "closed by its client");
}
