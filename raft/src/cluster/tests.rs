use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use model::{Capacity, NodeDraft};
use tonic::Code;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

use super::*;
use crate::authority::{Authority, digest_of};
use crate::credentials::{Credentials, NewKey};
use crate::ground;
use crate::identity;
use crate::proto::raft_client::RaftClient;
use crate::proto::{Ballot, VoteRequest};
use crate::tls::{self, Tls};
use crate::transport::{Link, Links, Whom};
use crate::types::Proposal;
use crate::{Caller, Start, Timing};

/// Answers with the id of whoever calls.
#[derive(Clone)]
struct FakeService;

impl NamedService for FakeService {
    const NAME: &'static str = "test.Echo";
}

impl Service<http::Request<Body>> for FakeService {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<Caller>().map_or(0, |it| it.0.0);
        let mut response = http::Response::new(Body::empty());
        response.headers_mut().insert("caller", caller.into());
        std::future::ready(Ok(response))
    }
}

async fn founded(temp: &tempfile::TempDir) -> (Cluster, SocketAddr) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|it| it.local_addr())
        .expect("a free port");
    let draft = NodeDraft {
        name: "one".to_owned(),
        peer_addr: port,
        api_addr: port,
        http_addr: port,
        runs_agent: false,
        version: "test".to_owned(),
        boot: Uuid::nil(),
        capacity: Capacity::default(),
    };
    let start = Start::New {
        admin: "root".to_owned(),
        key_hash: [1; 32],
    };
    let (data_dir, timing) = (temp.path().join("data"), Timing::default());
    let config = Config {
        data_dir,
        listen: port,
        draft,
        start,
        timing,
        services: Some(Routes::new(FakeService)),
    };
    let cluster = Cluster::start(config).await.expect("it starts");
    (cluster, port)
}

/// Asks for a vote as node `source`; answers how that was refused.
async fn refusal(cluster: &Cluster, link: &Link, source: u64) -> Option<(Code, String)> {
    let caller = Links::new(
        cluster.cluster_id(),
        NodeId(source),
        Arc::new(Tls::new(cluster.cluster_id())),
    );
    let request = VoteRequest {
        route: Some(caller.route(1)),
        vote: Some(Ballot::default()),
        ..VoteRequest::default()
    };
    let mut client = RaftClient::new(link.channel().expect("an address"));
    let answer = client.pre_vote(request).await;
    answer.err().map(|it| (it.code(), it.message().to_owned()))
}

fn signed(cluster: &Cluster, authority: &Authority, node: u64) -> Credentials {
    let key = NewKey::generate().expect("a key");
    let whom = (cluster.cluster_id(), NodeId(node));
    let life = Duration::from_secs(3600);
    let signed = authority
        .sign(key.request(), whom, std::time::SystemTime::now(), life)
        .expect("it is signed");
    key.certified(signed, authority.certificate().clone())
}

#[tokio::test]
async fn only_members_are_heard_and_each_only_as_itself() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let (cluster, port) = founded(&temp).await;
    let authority = cluster.core.authority().expect("it is in the state");
    let address = port.to_string();

    let anybody = tls::pinned(digest_of(authority.certificate())).expect("a configuration");
    let stranger = Link::new(&address, Whom::Anybody(anybody), ground::tcp());
    let refused = refusal(&cluster, &stranger, 1).await;
    assert!(
        refused.as_ref().is_some_and(|it| it.0 == Code::Unauthenticated),
        "{refused:?}"
    );

    let link_of = |credentials: &Credentials| {
        let tls = Tls::new(cluster.cluster_id());
        tls.install(credentials).expect("they can be used");
        Link::new(
            &address,
            Whom::Member(Arc::new(tls), NodeId(1), Arc::default()),
            ground::tcp(),
        )
    };
    // A member that this node has not heard of yet.
    let two = link_of(&signed(&cluster, &authority, 2));
    let heard = async || {
        loop {
            match refusal(&cluster, &two, 2).await {
                // It votes for nobody at first.
                Some((_, text)) if text.contains("just started") => {}
                answer => return answer,
            }
        }
    };
    assert_eq!(heard().await, None);
    let refused = refusal(&cluster, &two, 3).await;
    assert!(
        refused.as_ref().is_some_and(|it| it.1.contains("calls itself node 3")),
        "{refused:?}"
    );

    // One whose id was given out, and who is a member no longer.
    let zero = link_of(&signed(&cluster, &authority, 0));
    let refused = refusal(&cluster, &zero, 0).await;
    assert!(
        refused.as_ref().is_some_and(|it| it.1.contains("was removed")),
        "{refused:?}"
    );

    // The same names, signed by somebody else.
    let false_authority = Authority::create(cluster.cluster_id(), std::time::SystemTime::now()).expect("it is made");
    let mut forged = signed(&cluster, &false_authority, 1);
    forged.authorities = vec![authority.certificate().clone()];
    let refused = refusal(&cluster, &link_of(&forged), 1).await;
    assert!(refused.is_some(), "a certificate of another authority");
    assert_eq!(identity::read(&forged.certificate).map(|it| it.node), Ok(NodeId(1)));

    // Other rooms are told who calls.
    assert!(cluster.channel_to(NodeId(9)).is_err());
    let call = |mut channel: Channel| async move {
        let request = http::Request::post("/test.Echo/Who")
            .body(Body::empty())
            .expect("a request");
        std::future::poll_fn(|cx| channel.poll_ready(cx))
            .await
            .expect("it is reached");
        let answer = channel.call(request).await.expect("it answers");
        let caller = answer.headers().get("caller").and_then(|it| it.to_str().ok());
        caller.map(str::to_owned)
    };
    assert_eq!(
        call(cluster.channel_to(NodeId(1)).expect("a member")).await.as_deref(),
        Some("1")
    );
    assert_eq!(call(two.channel().expect("a member")).await.as_deref(), Some("2"));
    assert_eq!(
        call(stranger.channel().expect("an address")).await,
        None,
        "strangers are not let through"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_command_of_another_version_stops_the_node() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let (cluster, _) = founded(&temp).await;
    let before = cluster.local();
    let raft = cluster.core.raft.clone();
    let proposing = tokio::spawn(async move { raft.client_write(Proposal(Bytes::from_static(b"\x63what"))).await });
    let reason = cluster.fatal().await;
    assert!(reason.contains("consensus has stopped"), "{reason}");
    assert!(proposing.await.is_ok_and(|it| it.is_err()));
    assert_eq!(cluster.local().cluster(), before.cluster());
    cluster.stop().await;
}
