//! What is tried again, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use planner::Target;

use crate::backend::{FakeBackend, reply};
use crate::client::Client;
use crate::{free_address, local, proxy, table};

#[test]
fn a_backend_that_is_gone_costs_no_request() {
    let alive = FakeBackend::echo("alive");
    let dead = free_address();
    for gone in [Target::Local(dead), Target::Remote(dead)] {
        let (_proxy, addr) = proxy(table(1, &[("/", &[gone, local(alive.addr)])]));
        let mut client = Client::connect(addr);
        for _ in 0..50 {
            assert_eq!(client.get("/").status, 200);
            assert_eq!(client.post("/", "x").status, 200);
        }
    }
}

#[test]
fn when_nobody_takes_the_connection_the_service_is_named() {
    let (_proxy, addr) = proxy(table(1, &[("/", &[local(free_address()), local(free_address())])]));
    let answer = Client::connect(addr).get("/");
    assert_eq!(answer.status, 503);
    assert!(
        answer.head.contains("goblins-reason: upstream_connect"),
        "{}",
        answer.head
    );
    assert!(
        answer.body.contains("None of 2 replicas of service \\\"web\\\""),
        "{}",
        answer.body
    );
}

/// The keep-alive race: a backend closes an idle connection just as a request goes out on it.
#[test]
fn a_kept_connection_that_was_closed_costs_no_get() {
    let closing = Arc::new(AtomicBool::new(false));
    let close = closing.clone();
    let backend = FakeBackend::start(move |seen| {
        // Reads the request and hangs up, once: no byte of an answer was sent.
        if close.swap(false, Ordering::SeqCst) {
            let _ = seen.stream.shutdown(std::net::Shutdown::Both);
            return false;
        }
        reply(&mut seen.stream, "ok")
    });
    let (_proxy, addr) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let mut client = Client::connect(addr);
    assert_eq!(client.get("/").status, 200);
    closing.store(true, Ordering::SeqCst);
    assert_eq!(client.get("/").status, 200, "tried again on a new connection");
    closing.store(true, Ordering::SeqCst);
    let answer = client.post("/", "x");
    assert_eq!(answer.status, 502, "it may have been done already");
    assert!(
        answer.head.contains("goblins-reason: upstream_closed"),
        "{}",
        answer.head
    );
}
