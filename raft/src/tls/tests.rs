use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use uuid::Uuid;

use super::*;
use crate::authority::{Authority, digest_of};
use crate::credentials::NewKey;

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn cluster(id: u128) -> ClusterId {
    ClusterId(Uuid::from_u128(id))
}

fn authority(id: u128) -> Authority {
    Authority::create(cluster(id), SystemTime::now()).expect("an authority can be made")
}

fn credentials(authority: &Authority, id: u128, node: u64, at: SystemTime) -> Credentials {
    let key = NewKey::generate().expect("a key can be made");
    let whom = (cluster(id), NodeId(node));
    let certificate = authority.sign(key.request(), whom, at, WEEK).expect("it is signed");
    key.certified(certificate, authority.certificate().clone())
}

fn tls(credentials: &Credentials, id: u128) -> Tls {
    let tls = Tls::new(cluster(id));
    tls.install(credentials).expect("they can be used");
    tls
}

/// Node 1 (`client`) calls `whom`, and `server` answers. Answers what each end says of it.
async fn handshake(client: &Tls, server: &Tls, whom: u64) -> (Result<(), String>, Result<Option<Certified>, String>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let name = client.name_of(NodeId(whom)).expect("a name");
    let connector = TlsConnector::from(client.current().expect("credentials").client.clone());
    let acceptor = TlsAcceptor::from(server.current().expect("credentials").server.clone());
    let (connected, accepted) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
    let accepted = accepted.map(|stream| {
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).cloned();
        shown.map(|it| identity::read(&it).expect("a node's certificate"))
    });
    (
        connected.map(drop).map_err(|it| explain(&it)),
        accepted.map_err(|it| explain(&it)),
    )
}

#[test]
fn credentials_survive_their_file() {
    let authority = authority(7);
    let made = credentials(&authority, 7, 3, SystemTime::now());
    let read = Credentials::decode(&made.encode()).expect("they are read again");
    assert_eq!(
        (&*read.key, &read.certificate, &read.authorities),
        (&*made.key, &made.certificate, &made.authorities)
    );
    let certified = read.certified().expect("it names a node");
    assert_eq!((certified.cluster, certified.node), (cluster(7), NodeId(3)));
    let text = made.encode();
    for broken in [
        &text[..text.len() / 2],
        b"",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    ] {
        assert!(Credentials::decode(broken).is_err());
    }
    assert!(
        !format!("{made:?}").contains(&hex::encode(&*made.key)),
        "the key is not shown"
    );
}

#[test]
fn whatever_a_node_asks_for_it_is_certified_as_itself_only() {
    let authority = authority(7);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut greedy = rcgen::CertificateParams::new(vec![identity::name(cluster(7), NodeId(1))]).expect("a request");
    greedy.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let request = greedy.serialize_request(&key).expect("a request");
    let whom = (cluster(7), NodeId(4));
    let signed = authority
        .sign(request.der(), whom, SystemTime::now(), WEEK)
        .expect("it is signed");
    assert_eq!(identity::read(&signed).map(|it| it.node), Ok(NodeId(4)));
    let mut tampered = request.der().to_vec();
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    assert!(
        authority.sign(&tampered, whom, SystemTime::now(), WEEK).is_err(),
        "not signed with its own key"
    );
    assert!(authority.sign(b"nonsense", whom, SystemTime::now(), WEEK).is_err());
}

#[tokio::test]
async fn both_ends_know_each_other() {
    let authority = authority(7);
    let now = SystemTime::now();
    let (one, two) = (credentials(&authority, 7, 1, now), credentials(&authority, 7, 2, now));
    let (connected, accepted) = handshake(&tls(&one, 7), &tls(&two, 7), 2).await;
    assert_eq!(connected, Ok(()));
    assert_eq!(accepted.map(|it| it.map(|it| it.node)), Ok(Some(NodeId(1))));
}

#[tokio::test]
async fn whoever_is_not_meant_is_refused_in_words() {
    let (ours, theirs) = (authority(7), authority(8));
    let now = SystemTime::now();
    let good = credentials(&ours, 7, 1, now);
    let year = |text: &str| text.to_owned();
    for (server, whom, expected) in [
        (credentials(&ours, 7, 2, now), 3, year("node-2.")),
        (
            credentials(&theirs, 7, 2, now),
            2,
            year("not from this cluster's authority"),
        ),
        (credentials(&ours, 8, 2, now), 2, year("has answered")),
        (
            credentials(&ours, 7, 2, now - 8 * DAY),
            2,
            year("its certificate ended at 2"),
        ),
        (
            credentials(&ours, 7, 2, now + DAY),
            2,
            year("its certificate begins at 2"),
        ),
        (
            credentials(&ours, 7, 2, UNIX_EPOCH),
            2,
            year("ended at 1970-01-08T00:00:00Z, and this node's clock says 2"),
        ),
    ] {
        let (connected, _) = handshake(&tls(&good, 7), &tls(&server, 7), whom).await;
        let reason = connected.expect_err("it must be refused");
        assert!(reason.contains(&expected), "{reason}");
    }
    for (client, expected) in [
        (credentials(&theirs, 7, 1, now), "not from this cluster's authority"),
        (credentials(&ours, 7, 1, now - 8 * DAY), "its certificate ended at 2"),
        (credentials(&ours, 7, 1, now + 365 * DAY), "its certificate begins at 2"),
    ] {
        let mut client = client;
        // It trusts us, but we do not trust it.
        client.authorities = vec![client.authorities[0].clone(), ours.certificate().clone()];
        let server = credentials(&ours, 7, 2, now);
        let (_, accepted) = handshake(&tls(&client, 7), &tls(&server, 7), 2).await;
        let reason = accepted.expect_err("it must be refused");
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test]
async fn a_new_node_recognises_its_cluster_by_the_digest() {
    let (ours, theirs) = (authority(7), authority(8));
    let now = SystemTime::now();
    let digest = digest_of(ours.certificate());
    for (server, expected) in [
        (credentials(&ours, 7, 2, now), None),
        (
            credentials(&theirs, 8, 2, now),
            Some("not the cluster that the token was made for"),
        ),
        (credentials(&ours, 7, 2, now - 30 * DAY), Some("ended at")),
        (credentials(&ours, 7, 2, now + 30 * DAY), Some("begins at")),
    ] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let connector = TlsConnector::from(pinned(digest).expect("a configuration"));
        let acceptor = TlsAcceptor::from(tls(&server, 7).current().expect("credentials").server.clone());
        let name = ServerName::try_from("join.goblins").expect("a name");
        let (connected, accepted) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
        match expected {
            None => {
                assert!(connected.is_ok());
                assert!(accepted.is_ok_and(|it| it.get_ref().1.peer_certificates().is_none()));
            }
            Some(text) => {
                let reason = connected
                    .map(drop)
                    .map_err(|it| explain(&it))
                    .expect_err("it must be refused");
                assert!(reason.contains(text), "{reason}");
            }
        }
    }
    // A forged chain: the right authority is shown, but it has not signed.
    let mut forged = credentials(&theirs, 7, 2, now);
    forged.authorities = vec![ours.certificate().clone()];
    assert!(checked(&forged, digest, UnixTime::now()).is_err());
    assert!(checked(&credentials(&ours, 7, 2, now), digest, UnixTime::now()).is_ok());
}
