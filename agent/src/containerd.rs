//! The [`Runtime`] that drives containerd, 1.6 and later, through its gRPC API.

pub(crate) mod api;
mod cgroup;
mod check;
mod container;
mod ends;
mod events;
mod exec;
mod files;
mod label;
mod program;
mod spec;
mod task;
mod turns;
mod user;
mod vault;
mod volumes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use containerd_client::services::v1::{GetContainerRequest, ListContainersRequest};
use model::{NodeId, ReplicaId};
use planner::CollectLimits;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::exec::{Exec, ExecError, ExecRequest};
use crate::image::{Content, Images, Login, Progress};
use crate::logs::{Logs, Owner};
use crate::ports::{Peers, Roster};
use crate::runtime::{CommandEnd, Ending, Listed, RunRequest, Runtime, RuntimeError, RuntimeEvent, Signal, Task};
use api::{Api, SHORT, or_gone, within};
use container::Host;
use ends::{End, Ends};
use label::Labels;
use turns::Turns;
use vault::Vaults;

const SHOWN_LINES: usize = 5;
/// The folder of pipes to commands that run beside containers, under that of the files.
const EXEC: &str = "exec";

/// How to use a containerd.
#[derive(Clone, Debug)]
pub struct ContainerdConfig {
    /// Its socket.
    pub socket: PathBuf,
    /// Its namespace that is ours.
    pub namespace: String,
    /// This node; containers of other nodes in the same namespace are left alone.
    pub node: NodeId,
    /// Where layers are put together.
    pub snapshotter: String,
    /// The cgroup above all our containers, such as `/goblins`; distinct for each agent on a host.
    pub cgroup_parent: String,
    /// Where runc keeps its state; `None` is its own default, which all containerds of a host share.
    pub runc_root: Option<PathBuf>,
    /// The OCI runtime; `None` is `runc`.
    pub runtime_binary: Option<String>,
    /// Where containers write what they print.
    pub logs: Logs,
    /// Where the files lie that are mounted into containers, such as `/etc/hosts`.
    pub files: PathBuf,
    /// Where the values of secrets are mounted, in memory: what the names of the folders begin with, of which each node
    /// has one.
    pub secrets: PathBuf,
    /// Registries, as `host:port`, that speak plain http.
    pub insecure_registries: Vec<String>,
}

/// The configuration cannot be used.
#[derive(Debug, Error)]
#[error("`{namespace}` cannot be a containerd namespace; use letters, digits and dashes")]
pub struct BadNamespace {
    namespace: String,
    #[source]
    source: tonic::metadata::errors::InvalidMetadataValue,
}

/// A containerd, connected to when it is needed.
#[derive(Clone)]
pub struct Containerd {
    api: Api,
    images: Images,
    roster: Arc<dyn Roster>,
    vaults: Arc<Vaults>,
    turns: Arc<Turns>,
    ends: Arc<Ends>,
    config: Arc<ContainerdConfig>,
}

impl std::fmt::Debug for Containerd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Containerd")
            .field("api", &self.api)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Containerd {
    /// Does not connect yet.
    ///
    /// # Errors
    /// When the namespace cannot be one.
    pub fn new(config: ContainerdConfig, peers: Arc<dyn Peers>, roster: Arc<dyn Roster>) -> Result<Self, BadNamespace> {
        let api = Api::new(&config.socket, &config.namespace).map_err(|source| BadNamespace {
            namespace: config.namespace.clone(),
            source,
        })?;
        // Whom they led to has gone with the daemon of before; there may be none.
        let _ = std::fs::remove_dir_all(config.files.join(EXEC));
        let images = Images::new(
            api.clone(),
            config.snapshotter.clone(),
            &config.insecure_registries,
            peers,
        );
        Ok(Self {
            api,
            images,
            roster,
            vaults: Arc::new(Vaults::of(&config.secrets, config.node)),
            turns: Arc::default(),
            ends: Arc::default(),
            config: config.into(),
        })
    }

    /// What other nodes may fetch from this host.
    #[must_use]
    pub fn content(&self) -> Content {
        self.images.content()
    }

    /// The pulls that are under way, by the reference that is pulled.
    #[must_use]
    pub fn progress(&self) -> BTreeMap<String, Progress> {
        self.images.progress()
    }

    /// Drops images that nobody needs: `needed` are the references of those that are. Answers whether it is worth while
    /// to look again at once.
    ///
    /// # Errors
    /// When containerd does not answer.
    pub async fn collect(&self, needed: &BTreeSet<String>, limits: &CollectLimits) -> Result<bool, RuntimeError> {
        Ok(self.images.collect(needed, limits).await?)
    }

    /// containerd's version, once it answers.
    ///
    /// # Errors
    /// When it does not answer within 10 s.
    pub async fn version(&self) -> Result<String, RuntimeError> {
        self.api
            .version()
            .await
            .map_err(|error| self.api.refused("tell its version", error))
    }
}

impl Containerd {
    /// Runs a command beside the first process of a container, with its environment, user and folder.
    ///
    /// # Errors
    /// See [`ExecError`].
    pub async fn exec(&self, request: ExecRequest) -> Result<Exec, ExecError> {
        exec::start(&self.api, &self.config.files.join(EXEC), request).await
    }

    /// Ends commands that a daemon of before has left behind. To be called before the first one is run.
    pub async fn end_old_commands(&self) {
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(%error, "commands that were left behind cannot be looked for");
                return;
            }
        };
        for it in listed.into_iter().filter(|it| it.task == Task::Running) {
            if let Err(error) = exec::orphans::end(&self.api, &it.replica.to_string()).await {
                tracing::debug!(replica = %it.replica, %error, "commands that were left behind cannot be ended");
            }
        }
    }
}

#[async_trait]
impl Runtime for Containerd {
    async fn list(&self) -> Result<Vec<Listed>, RuntimeError> {
        self.vaults.suspect_all().await;
        let containers = self.containers().await?;
        let present: BTreeSet<_> = containers.iter().map(|(_, it)| it.replica).collect();
        self.vaults.remove_all_but(&present).await;
        for gone in vault::folders(&self.config.secrets).filter(|it| self.roster.is_gone(it.node)) {
            gone.vaults.sweep(&present).await;
        }
        self.config.logs.prune(&present).await;
        let mut tasks: HashMap<_, _> = task::list(&self.api).await?;
        let mut found = Vec::with_capacity(containers.len());
        for (id, labels) in containers {
            let task = match tasks.remove(&id) {
                Some(task) => task,
                // A list leaves out what it could not ask; only a direct answer counts.
                None => self.ends.or(labels.replica, task::get(&self.api, &id).await?),
            };
            found.push(listed(&labels, task));
        }
        found.sort_by_key(|it| it.replica);
        Ok(found)
    }

    async fn find(&self, replica: ReplicaId) -> Result<Option<Listed>, RuntimeError> {
        let id = replica.to_string();
        let request = self.api.request(GetContainerRequest { id: id.clone() });
        let answer = or_gone(within(SHORT, self.api.containers().get(request)).await);
        let answer = answer.map_err(|error| self.api.refused("look up a container", error))?;
        let container = answer.and_then(|it| it.container);
        let Some(labels) = container.and_then(|it| label::read(&it.labels)) else {
            return Ok(None);
        };
        if !self.is_ours(labels.node) {
            return Ok(None);
        }
        let task = self.ends.or(replica, task::get(&self.api, &id).await?);
        Ok(Some(listed(&labels, task)))
    }

    async fn look_up(&self, image: &str, login: Option<&Login>) -> Result<String, RuntimeError> {
        Ok(self.images.look_up(image, login).await?)
    }

    async fn pull(&self, image: &str, login: Option<&Login>) -> Result<(), RuntimeError> {
        self.images.ensure(image, login).await?;
        Ok(())
    }

    async fn has_room(&self) -> bool {
        self.images.has_room(&CollectLimits::default()).await
    }

    async fn run(&self, request: &RunRequest) -> Result<(), RuntimeError> {
        let _turn = self.turns.take(request.replica).await;
        let result = self.create_and_start(request).await;
        if result.is_err()
            && let Err(error) = self.remove_all(request.replica).await
        {
            tracing::debug!(replica = %request.replica, %error, "a container that did not start is removed later");
        }
        result
    }

    async fn signal(&self, replica: ReplicaId, signal: Signal) -> Result<(), RuntimeError> {
        task::kill(&self.api, &replica.to_string(), signal).await
    }

    async fn remove(&self, replica: ReplicaId) -> Result<(), RuntimeError> {
        let _turn = self.turns.take(replica).await;
        self.remove_all(replica).await
    }

    fn events(&self) -> mpsc::Receiver<RuntimeEvent> {
        events::subscribe(self.api.clone())
    }

    async fn ending(&self, replica: ReplicaId, restarts: u32) -> Ending {
        let id = replica.to_string();
        let reaped = {
            let _turn = self.turns.take(replica).await;
            // Its cgroup goes with the task.
            let keep = |code| {
                let out_of_memory = cgroup::out_of_memory(&self.config.cgroup_parent, &id);
                self.ends.keep(replica, End { code, out_of_memory });
            };
            task::reap(&self.api, &id, keep).await
        };
        if let Err(error) = reaped {
            tracing::debug!(%replica, %error, "the log of a container that has ended may lack its last lines");
        }
        Ending {
            last_lines: self.config.logs.last_lines(replica, restarts, SHOWN_LINES).await,
            out_of_memory: self.ends.out_of_memory(replica),
        }
    }

    async fn check(&self, replica: ReplicaId, command: &[String], limit: Duration) -> Result<CommandEnd, RuntimeError> {
        check::run(&self.api, &self.config.files.join(EXEC), replica, command, limit).await
    }
}

impl Containerd {
    /// This node's containers, and those of nodes that are gone: nobody else ends them.
    async fn containers(&self) -> Result<Vec<(String, Labels)>, RuntimeError> {
        let filters = vec![format!("labels.\"{}\"", label::REPLICA)];
        let list = self.api.request(ListContainersRequest { filters });
        let answer = within(SHORT, self.api.containers().list(list)).await;
        let answer = answer.map_err(|error| self.api.refused("list containers", error))?;
        let labelled = answer.containers.into_iter();
        let labelled = labelled.filter_map(|it| Some((it.id, label::read(&it.labels)?)));
        Ok(labelled.filter(|(_, it)| self.is_ours(it.node)).collect())
    }

    fn is_ours(&self, node: NodeId) -> bool {
        node == self.config.node || self.roster.is_gone(node)
    }

    async fn create_and_start(&self, request: &RunRequest) -> Result<(), RuntimeError> {
        let config = &self.config;
        let image = self.images.find(&request.spec.image).await?;
        let image = image.ok_or_else(|| RuntimeError::ImageGone {
            image: request.spec.image.clone(),
        })?;
        let files = files::write(&config.files, request).await?;
        let logger = program::LOGGER.install(&config.files).await?;
        let owner = Owner {
            service: request.service,
            version: request.version,
        };
        let log = config
            .logs
            .prepare(&logger, request.replica, owner, request.restarts)
            .await;
        let log = log.map_err(|source| match source.kind() {
            std::io::ErrorKind::StorageFull => RuntimeError::DiskFull {
                path: config.logs.folder().to_owned(),
            },
            _ => RuntimeError::File {
                path: config.logs.folder().to_owned(),
                source,
            },
        })?;
        let launcher = if request.secrets.is_empty() {
            None
        } else {
            Some(program::LAUNCHER.install(&config.files).await?)
        };
        let host = Host {
            files,
            launcher,
            log,
            vaults: &self.vaults,
        };
        container::create_and_start(&self.api, config, request, &image, &host).await
    }

    async fn remove_all(&self, replica: ReplicaId) -> Result<(), RuntimeError> {
        let id = replica.to_string();
        task::end(&self.api, &id).await?;
        self.ends.forget(replica);
        // As long as there is a container, this is tried again.
        self.vaults.remove(replica).await?;
        container::remove(&self.api, &self.config.snapshotter, &id).await?;
        files::remove(&self.config.files, replica).await
    }
}

fn listed(labels: &Labels, task: Task) -> Listed {
    Listed {
        replica: labels.replica,
        task,
        address: labels.address,
        restarts: labels.restarts,
        stop_grace: labels.stop_grace,
        drain: labels.drain,
    }
}
