//! Nodes for tests.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::{
    AccountId, Actor, ByteCount, Capacity, Command, Millicores, NodeDraft, ProjectDraft, Timestamp, leveled_version,
};
use raft::{Cluster, Config, Start, StartError, Timing};
use ring::digest::{SHA256, digest};
use tempfile::TempDir;
use uuid::Uuid;

/// The nodes of one cluster, in the order of their first start.
pub struct Cast {
    timing: Timing,
    nodes: Vec<Seat>,
}

struct Seat {
    folder: TempDir,
    peer: SocketAddr,
    /// What others are told, if that is not where it listens.
    front: Option<SocketAddr>,
    boot: Uuid,
    cluster: Option<Cluster>,
}

impl Cast {
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            nodes: Vec::new(),
        }
    }

    /// Founds the cluster.
    pub async fn found(&mut self) -> Cluster {
        let start = Start::New {
            admin: "root".to_owned(),
            key_hash: [1; 32],
        };
        self.start(start).await.expect("a cluster can be founded")
    }

    /// Lets one more node join through `through`.
    pub async fn join(&mut self, through: &Cluster, token: &str) -> Result<Cluster, StartError> {
        let index = usize::try_from(through.node_id().0).expect("few nodes") - 1;
        let addr = self.nodes[index].peer.to_string();
        self.start(Start::Join {
            addr,
            token: token.to_owned(),
        })
        .await
    }

    /// Starts one more node.
    pub async fn start(&mut self, start: Start) -> Result<Cluster, StartError> {
        self.start_behind(start, free_port(), None).await
    }

    /// Starts one more node that listens there, and is reached by others through `front`.
    pub async fn start_behind(
        &mut self,
        start: Start,
        peer: SocketAddr,
        front: Option<SocketAddr>,
    ) -> Result<Cluster, StartError> {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let seat = Seat {
            folder,
            peer,
            front,
            boot: Uuid::now_v7(),
            cluster: None,
        };
        let config = self.config(&seat, self.nodes.len(), start);
        let cluster = Cluster::start(config).await?;
        self.nodes.push(Seat {
            cluster: Some(cluster.clone()),
            ..seat
        });
        Ok(cluster)
    }

    /// A folder for one more node, which somebody else fills before [`Cast::restart`].
    pub fn vacant(&mut self) -> PathBuf {
        self.nodes.push(Seat {
            folder: tempfile::tempdir().expect("a folder for the test"),
            peer: free_port(),
            front: None,
            boot: Uuid::now_v7(),
            cluster: None,
        });
        self.folder(self.nodes.len() - 1)
    }

    /// Starts a node again from its folder, under a new boot id.
    pub async fn restart(&mut self, index: usize) -> Result<Cluster, StartError> {
        self.nodes[index].boot = Uuid::now_v7();
        let config = self.config(&self.nodes[index], index, Start::Existing);
        let cluster = Cluster::start(config).await?;
        self.nodes[index].cluster = Some(cluster.clone());
        Ok(cluster)
    }

    /// A node is to have another address when it starts again.
    pub fn moves(&mut self, index: usize) {
        self.nodes[index].peer = free_port();
    }

    pub fn address(&self, index: usize) -> String {
        self.nodes[index].peer.to_string()
    }

    pub fn boot(&self, index: usize) -> Uuid {
        self.nodes[index].boot
    }

    /// The data folder of a node.
    pub fn folder(&self, index: usize) -> PathBuf {
        self.nodes[index].folder.path().join("data")
    }

    /// Stops all.
    pub async fn stop(&mut self) {
        for seat in &mut self.nodes {
            if let Some(cluster) = seat.cluster.take() {
                cluster.stop().await;
            }
        }
    }

    fn config(&self, seat: &Seat, index: usize, start: Start) -> Config {
        let name = format!("node-{}", index + 1);
        let draft = NodeDraft {
            name,
            peer_addr: seat.front.unwrap_or(seat.peer),
            api_addr: seat.peer,
            http_addr: seat.peer,
            runs_agent: true,
            version: leveled_version("test"),
            boot: seat.boot,
            capacity: Capacity {
                cpu: Millicores(2_000),
                memory: ByteCount(1 << 30),
                replicas: 100,
            },
        };
        Config {
            data_dir: seat.folder.path().join("data"),
            listen: seat.peer,
            draft,
            start,
            timing: self.timing.clone(),
            services: None,
        }
    }
}

/// The first account.
pub fn admin(cluster: &Cluster) -> AccountId {
    cluster
        .local()
        .accounts()
        .next()
        .expect("a cluster is founded with an account")
        .id
}

/// A join token.
pub async fn token(cluster: &Cluster) -> String {
    let token = token_text(cluster);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    let command = Command::CreateJoinToken {
        hash,
        expires_at: Timestamp(u64::MAX),
    };
    cluster
        .submit(Actor::Account(admin(cluster)), command)
        .await
        .expect("an admin may make a token");
    token
}

/// The text of a join token that the cluster has not heard of.
pub fn token_text(cluster: &Cluster) -> String {
    let state = cluster.local();
    let authority = &state.cluster().expect("it was founded").authority;
    format!("gobj_secret_{}", hex::encode(digest(&SHA256, &authority.certificate)))
}

/// A command that makes a project.
pub fn project(name: &str) -> Command {
    Command::CreateProject(ProjectDraft { name: name.to_owned() })
}

/// Waits for what must come true in the end.
pub async fn eventually(what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_true() {
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address")
}
