//! Requests that one proxy hands over to another.

use planner::Target;
use proxy::{ProxyConfig, ProxyHandle};

use crate::backend::FakeBackend;
use crate::client::Client;
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

#[test]
fn a_hop_that_no_node_of_the_cluster_made_is_refused() {
    let backend = FakeBackend::echo("far");
    let (_far, far) = proxy(table(1, &[("/", &[local(backend.addr)])]));
    let forged = format!(
        "GET / HTTP/1.1\r\nhost: web.test\r\ngoblins-replica: {}\r\ngoblins-hop: {}\r\n\r\n",
        crate::replica(1),
        "00".repeat(32)
    );
    assert_eq!(Client::connect(far).send(&forged).status, 403);
    let config = ProxyConfig {
        http_addr: free_address(),
        https: None,
        workers: 1,
        hop_key: [8; 32],
    };
    let stranger = config.http_addr;
    let _stranger = ProxyHandle::start(config, table(1, &[("/", &[Target::Remote(far)])])).expect("a free port");
    assert_eq!(Client::connect(stranger).get("/").status, 403);
    assert_eq!(backend.requests(), 0);
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
