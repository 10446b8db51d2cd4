//! Benchmarks of deploys, of planning, and of the control plane, the latter with etcd from Debian as the peer in the same run: same hosts, same disk, same load
//! program. The load program shares the machine with the servers, as it does for the peer.

use std::io;

use serde_json::json;
use thiserror::Error;

use crate::client::ClientError;
use crate::cluster::{Cluster, ClusterError, Options};
use crate::deploys::StageError;
use crate::lab::{Lab, LabError};

mod api;
mod deploy;
mod etcd;
mod figures;
mod http;
mod load;
mod outage;
pub mod planner;
mod raft;
mod secrets;
mod store;

pub use api::api;
pub use deploy::{DeployEffort, RawError, deploy};
pub use raft::raft;
pub use secrets::secrets;
pub use store::store;

/// Why there are no figures.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The hosts could not be made.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The daemons did not do their part.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A request that has to work did not.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A service could not be had, or not be done to what was to be done to it.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// containerd was not driven.
    #[error(transparent)]
    Raw(#[from] RawError),
    /// The peer did not start.
    #[error("etcd on host {host} {what} (apt-get install etcd-server); the end of its log:\n{log}")]
    Etcd {
        /// Its host.
        host: u8,
        /// What it did or did not do.
        what: &'static str,
        /// The last lines it printed.
        log: String,
    },
    /// A load that had errors is no measurement.
    #[error("{what}: {failed} of {sent} requests failed; the last: {last}")]
    Failed {
        /// What was measured.
        what: String,
        /// How many failed.
        failed: u64,
        /// Of how many.
        sent: u64,
        /// What the last one said.
        last: String,
    },
    /// Writes did not go on.
    #[error("no write was accepted within a minute of the loss of the leader")]
    NoWrite,
    /// The async runtime could not be started.
    #[error("cannot start the async runtime")]
    Runtime(#[source] io::Error),
}

/// How long and how much is measured.
#[derive(Clone, Debug)]
pub struct Effort {
    /// Seconds that each figure is measured for.
    pub seconds: u64,
    /// Numbers of clients at once.
    pub clients: Vec<usize>,
    /// Objects that exist before anything is measured.
    pub objects: usize,
    /// How often the leader is killed.
    pub kills: usize,
    /// Seconds of writes at full load in which nobody must be elected.
    pub soak: u64,
    /// Without the peer, ratios are left out.
    pub peer: bool,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            seconds: 5,
            clients: vec![1, 64, 256],
            objects: 10_000,
            kills: 20,
            soak: 0,
            peer: true,
        }
    }
}

/// A cluster without containers on so many hosts of its own.
async fn cluster(hosts: u8) -> Result<(Lab, Cluster), BenchError> {
    let lab = Lab::up(hosts, None)?;
    let options = Options {
        flags: vec!["--no-agent".to_owned()],
        ..Options::default()
    };
    let cluster = Cluster::start(&lab, options).await?;
    Ok((lab, cluster))
}

/// The id of a new config called `name`.
async fn config(cluster: &Cluster, name: &str) -> Result<String, BenchError> {
    let made = cluster.client(1)?.post("/api/configs/", &json!({"name": name})).await?;
    Ok(made["id"].as_str().unwrap_or_default().to_owned())
}

/// What the processes of this machine are called in the head of a report.
fn head(what: &str) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{what}: {cores} cores, shared by servers and clients; every write is synced to disk before it is answered"
    );
}
