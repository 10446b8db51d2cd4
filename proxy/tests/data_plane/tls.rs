//! HTTPS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use planner::RouteTable;
use proxy::{Https, Kept, ProxyConfig, ProxyHandle};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use crate::backend::{FakeBackend, reply};
use crate::{HOST, PEERS, free_address, local, table};

/// A proxy that serves HTTPS, and a client configuration that trusts it.
fn secure(table: RouteTable) -> (ProxyHandle, Https, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a pair");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https = Https {
        addr: free_address(),
        tls: Arc::new(server),
    };
    let config = ProxyConfig {
        http_addr: free_address(),
        https: Some(https.clone()),
        kept: Kept::default(),
        workers: 2,
        peers: PEERS.clone(),
    };
    (
        ProxyHandle::start(config, table).expect("free ports"),
        https,
        Arc::new(client),
    )
}

#[test]
fn a_request_over_tls_is_answered_and_says_so_to_the_replica() {
    let backend = FakeBackend::start(|seen| {
        let head = seen.head.to_lowercase();
        reply(&mut seen.stream, &head)
    });
    let (_proxy, https, client) = secure(table(1, &[("/", &[local(backend.addr)])]));
    let stream = TcpStream::connect(https.addr).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let name = HOST.to_owned().try_into().expect("a name");
    let mut stream = StreamOwned::new(ClientConnection::new(client, name).expect("a session"), stream);
    let request = "GET /x HTTP/1.1\r\nhost: web.test\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("x-forwarded-proto: https"), "{answer}");
}

#[test]
fn a_handshake_that_fails_disturbs_nobody() {
    let backend = FakeBackend::echo("a");
    let (_proxy, https, client) = secure(table(1, &[("/", &[local(backend.addr)])]));
    let mut rude = TcpStream::connect(https.addr).expect("it listens");
    rude.write_all(b"GET / HTTP/1.1\r\nhost: web.test\r\n\r\n")
        .expect("written");
    let name = HOST.to_owned().try_into().expect("a name");
    let stream = TcpStream::connect(https.addr).expect("it listens");
    let mut stream = StreamOwned::new(ClientConnection::new(client, name).expect("a session"), stream);
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: web.test\r\nconnection: close\r\n\r\n")
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("a GET / "), "{answer}");
}
