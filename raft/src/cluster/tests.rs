use bytes::Bytes;
use model::{Capacity, NodeDraft};

use super::*;
use crate::types::Proposal;
use crate::{Start, Timing};

#[tokio::test]
async fn a_command_of_another_version_stops_the_node() {
    let temp = tempfile::tempdir().expect("a folder for the test");
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
        services: None,
    };
    let cluster = Cluster::start(config).await.expect("it starts");
    let before = cluster.local();
    let raft = cluster.core.raft.clone();
    let proposing = tokio::spawn(async move { raft.client_write(Proposal(Bytes::from_static(b"\x63what"))).await });
    let reason = cluster.fatal().await;
    assert!(reason.contains("consensus has stopped"), "{reason}");
    assert!(proposing.await.is_ok_and(|it| it.is_err()));
    assert_eq!(cluster.local().cluster(), before.cluster());
    cluster.stop().await;
}
