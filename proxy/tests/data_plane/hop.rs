//! Requests that one proxy hands over to another.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use planner::Target;
use proxy::{Kept, ProxyConfig, ProxyHandle};

use crate::backend::FakeBackend;
use crate::client::Client;
use crate::peers::FakePeers;
use crate::{free_address, local, proxy, table};

#[test]
fn a_replica_elsewhere_is_reached_through_its_own_proxy() {
    let backend = FakeBackend::echo("far");
    let (_far, far) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let (_near, near) = proxy(table(1, &[("/", &[Target::Remote(far)])]));
    let mut client = Client::connect(near);
    assert!(client.get("/x").body.starts_with("far GET /x "));
    assert!(client.post("/x", "body").body.starts_with("far POST /x "));
}

fn stranger(peers: FakePeers, far: SocketAddr) -> (ProxyHandle, SocketAddr) {
    let config = ProxyConfig {
        http_addr: free_address(),
        https: None,
        kept: Kept::default(),
        workers: 1,
        peers: Arc::new(peers),
    };
    let addr = config.http_addr;
    let handle = ProxyHandle::start(config, table(1, &[("/", &[Target::Remote(far)])])).expect("a free port");
    (handle, addr)
}

#[test]
fn a_replica_that_somebody_else_names_is_not_reached() {
    let backend = FakeBackend::echo("far");
    let (_far, far) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let named = format!(
        "GET / HTTP/1.1\r\nhost: web.test\r\ngoblins-replica: {}\r\n\r\n",
        crate::replica(1)
    );
    assert_eq!(Client::connect(far).send(&named).status, 403);
    // Certified by the authority of another cluster.
    let (_stranger, addr) = stranger(FakePeers::new(), far);
    assert_eq!(Client::connect(addr).get("/").status, 503);
    assert_eq!(backend.requests(), 0);
}

#[test]
fn a_node_that_is_no_member_any_more_is_sent_away() {
    let backend = FakeBackend::echo("far");
    let removed = FakePeers {
        members: false,
        ..FakePeers::new()
    };
    let table = table(1, &[("/", &[local(backend.addr)])]);
    let config = ProxyConfig {
        http_addr: free_address(),
        https: None,
        kept: Kept::default(),
        workers: 1,
        peers: Arc::new(removed.clone()),
    };
    let far = config.http_addr;
    let _far = ProxyHandle::start(config, table).expect("a free port");
    let (_near, near) = stranger(removed, far);
    assert_ne!(Client::connect(near).get("/").status, 200);
    assert_eq!(backend.requests(), 0);
}

#[test]
fn plain_words_and_handshakes_share_a_port_and_a_silent_one_holds_up_nobody() {
    let backend = FakeBackend::echo("far");
    let (_far, far) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let (_near, near) = proxy(table(1, &[("/", &[Target::Remote(far)])]));
    let _silent: Vec<_> = (0..20).map(|_| TcpStream::connect(far).expect("it listens")).collect();
    let mut half = TcpStream::connect(far).expect("it listens");
    half.write_all(&[0x16, 3, 1]).expect("written");
    assert_eq!(Client::connect(far).get("/").status, 200);
    assert_eq!(Client::connect(near).get("/").status, 200);
}

#[test]
fn a_replica_that_is_gone_over_there_makes_the_asking_proxy_choose_another() {
    let backend = FakeBackend::echo("near");
    let (_far, far) = proxy(table(1, &[]));
    let (_near, near) = proxy(table(1, &[("/", &[Target::Remote(far), local(backend.addr)])]));
    let mut client = Client::connect(near);
    for n in 0..10 {
        assert_eq!(client.get("/").status, 200, "request {n}");
        assert_eq!(
            client.post("/", "x").status,
            200,
            "nothing was passed on, so it is safe for any method"
        );
    }
}
