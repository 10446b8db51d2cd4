//! A socket that somebody else keeps open from one proxy to the next.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use proxy::{Kept, ProxyConfig, ProxyHandle};

use crate::backend::FakeBackend;
use crate::client::Client;
use crate::{PEERS, local, table};

const LONG: Duration = Duration::from_secs(60);

fn proxy_on(kept: &TcpListener, backend: SocketAddr) -> ProxyHandle {
    let config = ProxyConfig {
        http_addr: kept.local_addr().expect("bound"),
        https: None,
        kept: Kept {
            http: Some(kept.try_clone().expect("shared")),
            https: None,
        },
        workers: 2,
        peers: PEERS.clone(),
    };
    ProxyHandle::start(config, table(1, &[("/", &[local(backend)])])).expect("it listens already")
}

#[tokio::test]
async fn who_connects_between_two_proxies_waits_for_the_second() {
    let backend = FakeBackend::echo("here");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.set_nonblocking(true).expect("set");
    let addr = socket.local_addr().expect("bound");

    let first = proxy_on(&socket, backend.addr);
    assert_eq!(Client::connect(addr).get("/").status, 200);
    first.shutdown(LONG).await;

    let mut waiting: Vec<_> = (0..8).map(|_| Client::connect(addr)).collect();
    for client in &mut waiting {
        client.write(b"GET / HTTP/1.1\r\nhost: web.test\r\n\r\n");
    }
    let _second = proxy_on(&socket, backend.addr);
    for mut client in waiting {
        assert_eq!(client.read().status, 200);
    }
}
