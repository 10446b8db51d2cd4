//! Starting a node: open what it remembers, or make it, and set the tasks going.

mod assemble;
mod certificates;
mod found;

use std::path::Path;
use std::time::Duration;

use model::{Actor, ClusterId, Command, Kind, NodeId, Rejection};
use storage::{DataDir, Folder, Identity, KeyBundle};
use uuid::Uuid;

use super::Cluster;
use crate::join::{self, Admission};
use crate::{Config, Ground, Start, StartError, SubmitError};

/// Consensus has threads of its own, so that no other work of the daemon can delay a heartbeat.
const THREADS: usize = 2;
/// The node that founds a cluster.
const FIRST: NodeId = NodeId(1);
/// Between attempts to tell the cluster that this node has started.
const ANNOUNCE_RETRY: Duration = Duration::from_secs(1);

/// See [`Cluster::start`].
pub(super) async fn start(config: Config) -> Result<Cluster, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("goblins-raft")
        .enable_all()
        .build()
        .map_err(|it| StartError::Setup(it.to_string()))?;
    let started = runtime.handle().spawn(begin(Ground::host(), config));
    let started = started
        .await
        .unwrap_or_else(|it| Err(StartError::Setup(it.to_string())));
    match started {
        Ok(cluster) => {
            cluster.lifeline.keep(runtime);
            Ok(cluster)
        }
        Err(error) => {
            runtime.shutdown_background();
            Err(error)
        }
    }
}

/// Starts the node on the runtime that this is called on.
pub(super) async fn begin(ground: Ground, config: Config) -> Result<Cluster, StartError> {
    let path = config.data_dir.clone();
    let folder = blocking(move || Ok(DataDir::open(&path)?)).await?;
    // Before anything is promised to anybody: a port that is taken must not leave a half-made node.
    let listener = ground.wires.listen(config.listen).await;
    let listener = listener.map_err(|source| StartError::Listen {
        addr: config.listen,
        source,
    })?;
    let was_here = matches!(folder, Folder::Node(_));
    let dir = match folder {
        Folder::Node(dir) => dir,
        Folder::Vacant(vacant) => {
            let admission = identify(&ground, &config).await?;
            blocking(move || {
                let credentials = admission.credentials.map(|it| it.encode());
                let credentials = credentials.as_ref().map(|it| it.as_slice());
                let vacant = vacant.in_epoch(admission.epoch);
                Ok(vacant.claim(admission.identity, &admission.keys, credentials)?)
            })
            .await?
        }
    };
    let founds = matches!(config.start, Start::New { .. }) && dir.identity().node == FIRST;
    let cluster = assemble::assemble(&ground, &config, dir, listener).await?;
    let done = if founds {
        found::found(&cluster, &config).await
    } else {
        Ok(())
    };
    if let Err(error) = done.and_then(|()| certificates::check(&cluster.core)) {
        cluster.stop().await;
        return Err(error);
    }
    if !founds {
        cluster.catch_up().await;
    }
    if was_here {
        let announcing = cluster.clone();
        cluster.lifeline.spawn(async move { announcing.announce().await });
    }
    Ok(cluster)
}

/// Who a node without a past is to be.
async fn identify(ground: &Ground, config: &Config) -> Result<Admission, StartError> {
    match &config.start {
        Start::Existing => Err(StartError::NoNode {
            path: config.data_dir.clone(),
        }),
        Start::New { .. } => {
            let cluster = ClusterId(Uuid::new_v4());
            Ok(Admission {
                identity: Identity { cluster, node: FIRST },
                keys: KeyBundle::generate(cluster)?,
                credentials: None,
                epoch: 0,
            })
        }
        Start::Join { addr, token } => join::ask(&ground.wires, addr, token, &config.draft).await,
    }
}

impl Cluster {
    /// Waits until this node knows what the cluster had decided when it came, as far as that can be had.
    async fn catch_up(&self) {
        if let Err(error) = self.core.raft.wait_for_recovery(Some(self.core.timing.recovery)).await {
            tracing::warn!(%error, "no majority could be reached yet; going on with the state on this disk");
        }
    }

    /// Tells the cluster that this node has started, with its addresses and capacity of today, until it has heard.
    async fn announce(&self) {
        let core = &self.core;
        while !core.stop.is_cancelled() {
            let command = Command::StartNode(core.node, core.draft.clone());
            match self.submit(Actor::System, command).await {
                Ok(_) => return,
                Err(SubmitError::Rejected(Rejection::NotFound { kind: Kind::Node, .. })) => {
                    core.links.set_removed();
                    return;
                }
                Err(SubmitError::Rejected(rejection)) => {
                    tracing::error!(
                        error = &rejection as &dyn std::error::Error,
                        "the cluster does not accept this start"
                    );
                }
                // Others have said meanwhile why nobody takes it.
                Err(_) if core.links.is_removed() => return,
                Err(error) => tracing::warn!(%error, "cannot tell the cluster that this node has started"),
            }
            tokio::select! {
                () = tokio::time::sleep(ANNOUNCE_RETRY) => {}
                () = core.stop.cancelled() => {}
            }
        }
    }
}

/// Runs what blocks on threads that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    crate::blocking::run(work)
        .await
        .unwrap_or_else(|it| Err(StartError::Setup(it.to_string())))
}

/// An error of a store in this folder.
fn store_error(path: &Path) -> impl Fn(storage::StorageError) -> StartError + '_ {
    |source| StartError::Store {
        path: path.to_owned(),
        source,
    }
}
