//! A host of the cluster.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ByteCount, Generation, Millicores, NodeId, Revision, Timestamp};

/// What a host can give to containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// CPU.
    pub cpu: Millicores,
    /// Memory.
    pub memory: ByteCount,
    /// Containers at most.
    pub replicas: u32,
}

/// The cluster's verdict on a node. Changes only when the leader proposes it, never with each heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeStatus {
    /// Its lease is renewed.
    Up,
    /// Its lease ran out: its replicas are replaced elsewhere.
    Down,
}

/// A host of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id, never used twice.
    pub id: NodeId,
    /// Unique and chosen by the operator.
    pub name: String,
    /// Where its peers reach it.
    pub peer_addr: SocketAddr,
    /// Where clients reach its API.
    pub api_addr: SocketAddr,
    /// Where its proxy listens; other proxies send it requests for its replicas.
    pub http_addr: SocketAddr,
    /// Whether it runs containers.
    pub runs_agent: bool,
    /// Version of its daemon.
    pub version: String,
    /// Changes with each start of the daemon.
    pub boot: Uuid,
    /// The verdict.
    pub status: NodeStatus,
    /// Counts verdicts, so that a late one about an earlier life is refused.
    pub lease: Generation,
    /// Whether new replicas may be placed on it.
    pub schedulable: bool,
    /// Whether its replicas are to move to other nodes, for as long as this is set.
    pub draining: bool,
    /// What it can give.
    pub capacity: Capacity,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When the verdict last changed.
    pub changed_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}

impl Node {
    /// Whether its lease is renewed.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.status == NodeStatus::Up
    }
}
