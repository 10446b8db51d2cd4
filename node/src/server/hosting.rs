//! Running containers on this host: containerd, the network, the agent.

use std::path::PathBuf;
use std::sync::Arc;

use agent::{
    Agent, AgentConfig, BridgeNetwork, Containerd, ContainerdConfig, Limits, LogLimits, Logs, NetworkConfig, OpenError,
    Opener, Roster, SuperviseConfig, Supervisor, Wanted,
};
use anyhow::{Context, Result, bail};
use model::{NodeId, SecretValue};
use proxy::ProxyHandle;
use raft::Cluster;
use storage::{Keyring, SealError, secret_context};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::adapters::{Drains, Reports};
use crate::feeds;
use crate::hosts::{Local, Parts};
use crate::images::{self, Others, Shelf};
use crate::settings::{Containers, Settings};

/// Folder for what need not outlive a boot.
const RUN_DIR: &str = "/run/goblins";

/// The agent of this host, with its containerd if that is our own.
pub(super) struct Hosting {
    agent: Agent,
    /// Watches our containerd for as long as it lives.
    supervisor: Option<Supervisor>,
}

impl Hosting {
    /// Containers go on, and so does containerd.
    pub(super) async fn stop(self) {
        self.agent.stop().await;
    }

    /// Nothing goes on; answers whether that is so.
    pub(super) async fn clear(self) -> bool {
        let cleared = self.agent.clear().await;
        if let Some(supervisor) = self.supervisor.filter(|_| cleared) {
            supervisor.end().await;
        }
        cleared
    }
}

/// The nodes, as far as this one knows.
struct Nodes(Cluster);

impl Roster for Nodes {
    /// Ids are given out in order. So whoever knows itself to be a node knew all that were given out before its own.
    fn is_gone(&self, node: NodeId) -> bool {
        let me = self.0.node_id();
        if node >= me {
            return false;
        }
        let state = self.0.local();
        state.node(me).is_some() && state.node(node).is_none()
    }
}

/// The agent's way to this node's keyring.
struct Opens(Keyring);

impl Opener for Opens {
    fn open(&self, value: &SecretValue) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let context = secret_context(value.id.item.0, &value.key, value.id.version);
        self.0.open(&context, &value.sealed).map_err(|error| match error {
            SealError::Locked => OpenError::Locked,
            SealError::UnknownKey(key) => OpenError::UnknownKey(key),
            SealError::DoesNotOpen | SealError::TooLong | SealError::NoRandomness => OpenError::Damaged,
        })
    }
}

/// Makes sure that there is a containerd before anything else begins.
pub(super) async fn supervise(settings: &Settings, containers: &Containers) -> Result<Option<Supervisor>> {
    if !nix::unistd::geteuid().is_root() {
        bail!("running containers needs root; run as root, or with --no-agent for a node that runs none");
    }
    match &containers.socket {
        Some(socket) if !socket.exists() => bail!(
            "--containerd-socket {}: there is no such socket; is containerd running? Leave the flag out to have one of \
             our own",
            socket.display()
        ),
        Some(_) => Ok(None),
        None => {
            let config = SuperviseConfig {
                data_dir: host_dir(settings),
                run_dir: PathBuf::from(RUN_DIR),
            };
            let supervisor = Supervisor::start(&config).await;
            supervisor
                .map(Some)
                .context("cannot run containers; --no-agent makes this a node that runs none")
        }
    }
}

/// What containers need lies beside the cluster's data, whose folder belongs to consensus alone.
fn host_dir(settings: &Settings) -> PathBuf {
    settings.data_dir.join("host")
}

/// Begins to run containers, unless this node is to run none.
pub(super) async fn start(
    settings: &Settings,
    supervisor: Option<Supervisor>,
    cluster: &Cluster,
    (shelf, local): (&Shelf, Local),
    proxy: &Arc<ProxyHandle>,
    boot: Uuid,
    tasks: &mut JoinSet<()>,
) -> Result<Option<Hosting>> {
    let Some(containers) = &settings.containers else {
        return Ok(None);
    };
    let host = host_dir(settings);
    let socket = match (&containers.socket, &supervisor) {
        (Some(socket), _) => socket.clone(),
        (None, Some(supervisor)) => supervisor.socket().to_owned(),
        (None, None) => bail!("there is no containerd to use; this is a bug"),
    };
    let short = cluster.cluster_id().0.simple().to_string()[..8].to_owned();
    let logs = Logs::new(host.join("logs"), LogLimits::of_bytes(containers.log_bytes));
    let config = ContainerdConfig {
        socket: socket.clone(),
        namespace: format!("goblins-{short}"),
        node: cluster.node_id(),
        snapshotter: "overlayfs".to_owned(),
        cgroup_parent: format!("/goblins-{short}-{}", cluster.node_id()),
        runc_root: supervisor.as_ref().map(Supervisor::runc_root),
        runtime_binary: None,
        logs: logs.clone(),
        files: host.join("files"),
        secrets: PathBuf::from(RUN_DIR).join(format!("secrets-{short}")),
        insecure_registries: containers.insecure_registries.clone(),
    };
    let runtime = Arc::new(Containerd::new(
        config,
        Arc::new(Others::new(cluster.clone(), shelf.clone())),
        Arc::new(Nodes(cluster.clone())),
    )?);
    runtime
        .version()
        .await
        .with_context(|| format!("containerd does not answer on {}", socket.display()))?;
    runtime.end_old_commands().await;
    let network = BridgeNetwork::new(NetworkConfig {
        bridge: containers.bridge.clone(),
        subnet: containers.subnet,
        ..NetworkConfig::default()
    });
    let (feed, wanted) = watch::channel(Wanted::default());
    tasks.spawn(feeds::program_agent(cluster.clone(), feed));
    let reports = Reports {
        cluster: cluster.clone(),
        node: cluster.node_id(),
        boot,
    };
    let agent = Agent::start(
        AgentConfig {
            node_name: settings.node_name.clone(),
            limits: Limits {
                drain_tunnels: containers.drain_tunnels,
                ..Limits::default()
            },
        },
        runtime.clone(),
        Arc::new(network),
        wanted,
        Arc::new(reports),
        Arc::new(Drains(Arc::clone(proxy))),
        Arc::new(Opens(cluster.keyring())),
    )
    .await
    .context("cannot prepare this host's container network")?;
    local.fill(Parts {
        logs,
        runtime: Arc::clone(&runtime),
    });
    shelf.fill(cluster.clone(), Arc::clone(&runtime));
    tasks.spawn(images::collect(cluster.clone(), runtime));
    Ok(Some(Hosting { agent, supervisor }))
}
