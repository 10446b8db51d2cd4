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

/// Hangs up on every request.
fn hangs_up() -> FakeBackend {
    FakeBackend::start(|seen| {
        let _ = seen.stream.shutdown(std::net::Shutdown::Both);
        false
    })
}

#[test]
fn a_replica_that_dies_with_a_get_costs_it_nothing_and_one_that_kills_meets_two() {
    let (dying, alive) = (hangs_up(), FakeBackend::echo("alive"));
    let (_far, far) = proxy(table(1, &[("/", &[local(dying.addr)])]));
    for bad in [local(dying.addr), Target::Remote(far)] {
        let (_proxy, addr) = proxy(table(1, &[("/", &[bad, local(alive.addr)])]));
        for _ in 0..10 {
            assert_eq!(Client::connect(addr).get("/").status, 200);
        }
    }
    let all: Vec<_> = (0..6).map(|_| hangs_up()).collect();
    let targets: Vec<_> = all.iter().map(|it| local(it.addr)).collect();
    let (_proxy, addr) = proxy(table(1, &[("/", &targets)]));
    let answer = Client::connect(addr).get("/");
    assert_eq!(answer.status, 502);
    assert!(
        answer.head.contains("goblins-reason: upstream_closed"),
        "{}",
        answer.head
    );
    assert_eq!(all.iter().map(FakeBackend::requests).sum::<usize>(), 2);
}

/// All replicas that a proxy knows of have been replaced, and it has not heard so yet.
#[test]
fn a_request_that_is_turned_away_everywhere_waits_for_the_news() {
    let alive = FakeBackend::echo("alive");
    let (_far, far) = proxy(table(1, &[]));
    let (near, addr) = proxy(table(1, &[("/", &[Target::Remote(far)])]));
    let waiting = std::thread::spawn(move || Client::connect(addr).post("/", "x"));
    // Some change of something else comes first.
    near.publish(table(2, &[("/", &[Target::Remote(far)])]));
    near.publish(table(3, &[("/", &[Target::Remote(far), local(alive.addr)])]));
    assert_eq!(waiting.join().expect("answered").status, 200);
}

/// A replica has just come up, and its own proxy is the last to hear of it.
#[test]
fn a_request_that_comes_before_its_replica_is_known_over_there_is_asked_again() {
    let backend = FakeBackend::echo("far");
    let (far, far_addr) = proxy(table(1, &[]));
    let (_near, addr) = proxy(table(1, &[("/", &[Target::Remote(far_addr)])]));
    let waiting = std::thread::spawn(move || Client::connect(addr).post("/", "x"));
    far.publish(table(2, &[("/", &[local(backend.addr)])]));
    assert_eq!(waiting.join().expect("answered").status, 200);
}

/// A body that is streamed cannot be sent again: the proxy that is asked for a replica it no longer has finds another.
#[test]
fn a_streamed_body_that_comes_too_late_is_sent_on() {
    let third = FakeBackend::echo("third");
    let (_third, third_proxy) = proxy(table(1, &[("/", &[local(free_address()), local(third.addr)])]));
    // The replica that the second is asked for is number 1; what it knows instead is number 2, on the third host.
    let (_second, second) = proxy(table(
        2,
        &[
            ("/old", &[local(free_address())]),
            ("/", &[Target::Remote(third_proxy)]),
        ],
    ));
    let mut stale = table(1, &[("/", &[Target::Remote(second)])]);
    stale.local.clear();
    let (_first, first) = proxy(stale);
    let request = "POST /x HTTP/1.1\r\nhost: web.test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = Client::connect(first).send(request);
    assert!(answer.body.starts_with("third POST /x"), "{answer:?}");
}
