//! What is asked of a host by whoever is connected to any node: what its replicas have printed, and to run something beside
//! them. Every host serves it to the other nodes; the node that was asked puts the answers together.

mod exec;
mod logs;
mod proto;
mod service;

use std::sync::{Arc, OnceLock};

use agent::{Containerd, Logs};
use model::NodeId;
use raft::Cluster;
use tokio::sync::Semaphore;
use tonic::transport::Channel;

use proto::host_client::HostClient;
pub(crate) use service::HostSlot;

/// Streams of logs that a node serves to clients at a time.
const STREAMS: usize = 64;

/// What this host has to give. The peer port is open before that is known.
#[derive(Clone, Default)]
pub(crate) struct Local(Arc<OnceLock<Parts>>);

/// The parts of a host that runs containers.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) logs: Logs,
    pub(crate) runtime: Arc<Containerd>,
}

impl Local {
    /// From now on it is served.
    pub(crate) fn fill(&self, parts: Parts) {
        // A second time it is the same.
        let _ = self.0.set(parts);
    }

    fn get(&self) -> Option<&Parts> {
        self.0.get()
    }
}

/// All hosts of the cluster.
#[derive(Clone)]
pub(crate) struct Hosts {
    cluster: Cluster,
    local: Local,
    streams: Arc<Semaphore>,
}

impl Hosts {
    pub(crate) fn new(cluster: Cluster, local: Local) -> Self {
        Self {
            cluster,
            local,
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    fn client(&self, node: NodeId) -> Result<HostClient<Channel>, String> {
        let channel = self.cluster.channel_to(node).map_err(|error| error.to_string())?;
        Ok(HostClient::new(channel))
    }
}
