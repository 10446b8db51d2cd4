//! Which backend a request reaches, and what it looks like there.

use std::io::{Read, Write};

use crate::backend::{FakeBackend, reply};
use crate::client::Client;
use crate::{local, proxy, table};

#[test]
fn the_longest_prefix_wins_over_one_kept_connection() {
    let (root, api) = (FakeBackend::echo("root"), FakeBackend::echo("api"));
    let (_proxy, addr) = proxy(table(1, &[("/", &[local(root.addr)]), ("/api", &[local(api.addr)])]));
    let mut client = Client::connect(addr);
    for (path, expected) in [
        ("/", "root GET / "),
        ("/api", "api GET /api "),
        ("/api/x?q=1", "api GET /api/x?q=1 "),
        ("/apix", "root GET /apix "),
        ("/x/../%61pi/y", "api GET /api/y "),
    ] {
        let answer = client.get(path);
        assert_eq!(answer.status, 200);
        assert!(answer.body.starts_with(expected), "{path}: {}", answer.body);
    }
    assert_eq!(
        (root.connections(), api.connections()),
        (1, 1),
        "connections to backends are kept too"
    );
}

#[test]
fn what_leads_nowhere_is_told() {
    let (_proxy, addr) = proxy(table(1, &[("/a", &[])]));
    let mut client = Client::connect(addr);
    for (text, status, code) in [
        ("GET /a HTTP/1.1\r\nhost: other.test\r\n\r\n", 404, "no_such_host"),
        ("GET /b HTTP/1.1\r\nhost: web.test\r\n\r\n", 404, "no_such_path"),
        ("GET /a HTTP/1.1\r\nhost: web.test\r\n\r\n", 503, "no_ready_replica"),
        (
            "GET /a HTTP/1.1\r\nhost: web.test\r\nhost: web.test\r\n\r\n",
            400,
            "bad_request",
        ),
        ("GET /a/../.. HTTP/1.1\r\nhost: web.test\r\n\r\n", 400, "bad_request"),
        (
            "CONNECT web.test:80 HTTP/1.1\r\nhost: web.test\r\n\r\n",
            400,
            "bad_request",
        ),
    ] {
        let answer = client.send(text);
        assert_eq!(answer.status, status, "{text}");
        assert!(
            answer.head.contains(&format!("goblins-reason: {code}\r\n")),
            "{}",
            answer.head
        );
        assert!(answer.body.contains("detail"), "{}", answer.body);
    }
}

#[test]
fn a_request_is_passed_on_without_what_concerns_one_connection() {
    let backend = FakeBackend::start(|seen| {
        let head = seen.head.to_lowercase();
        reply(&mut seen.stream, &head)
    });
    let (_proxy, addr) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let answer = Client::connect(addr).send(
        "GET / HTTP/1.1\r\nhost: web.test\r\nconnection: keep-alive, x-private\r\nx-private: 1\r\nx-kept: 2\r\n\
         x-forwarded-for: 6.6.6.6\r\n\r\n",
    );
    assert!(answer.body.contains("x-kept: 2"), "{}", answer.body);
    assert!(answer.body.contains("x-forwarded-for: 127.0.0.1"), "{}", answer.body);
    assert!(!answer.body.contains("x-private"), "{}", answer.body);
    assert!(!answer.body.contains("6.6.6.6"), "{}", answer.body);
}

#[test]
fn large_bodies_pass_in_both_directions() {
    let backend = FakeBackend::start(|seen| {
        let text = format!("{}{}", seen.body.len(), "x".repeat(1 << 20));
        reply(&mut seen.stream, &text)
    });
    let (_proxy, addr) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let mut client = Client::connect(addr);
    let answer = client.post("/", &"y".repeat(1 << 20));
    assert_eq!(answer.body.len(), 7 + (1 << 20));
    assert!(answer.body.starts_with("1048576x"));
    client.write(b"POST / HTTP/1.1\r\nhost: web.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(client.read().status, 200);
}

#[test]
fn a_connection_that_changes_its_protocol_becomes_a_tunnel() {
    let backend = FakeBackend::start(|seen| {
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n";
        seen.stream.write_all(switch.as_bytes()).expect("written");
        let mut heard = [0; 5];
        while seen.stream.read_exact(&mut heard).is_ok() {
            seen.stream.write_all(&heard.to_ascii_uppercase()).expect("written");
        }
        false
    });
    let (_proxy, addr) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let mut client = Client::connect(addr);
    let answer = client.send("GET / HTTP/1.1\r\nhost: web.test\r\nconnection: Upgrade\r\nupgrade: shout\r\n\r\n");
    assert_eq!(answer.status, 101);
    client.write(b"hello");
    assert_eq!(client.read_exact(5), b"HELLO");
}

#[test]
fn contradicting_lengths_do_not_reach_a_backend() {
    let backend = FakeBackend::echo("a");
    let (_proxy, addr) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    for text in [
        "POST / HTTP/1.1\r\nhost: web.test\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: web.test\r\ntransfer-encoding: gzip\r\n\r\nabc",
        "GET / HTTP/1.1\r\nhost : web.test\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: web.test\r\nx: a\r\n b\r\n\r\n",
    ] {
        let answer = Client::connect(addr).send(text);
        assert_eq!(answer.status, 400, "{text}");
    }
    assert_eq!(backend.requests(), 0);
}
