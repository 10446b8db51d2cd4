//! Carries out single steps. Holds no policy: what to do was decided, what came of it is told.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use model::{Assignment, DeploymentId, NodeView, PinSource, Reason, RegistrySecret, ReplicaId, named_digest};
use planner::Step;
use tokio::sync::{Notify, Semaphore};

use super::table::{Listing, Sight};
use crate::image::Login;
use crate::network::Network;
use crate::ports::{Drainer, Opener, Reporter};
use crate::reason;
use crate::runtime::{Listed, RunRequest, Runtime, RuntimeError, Signal, Task};
use crate::secret::{self, Unopened};

/// More containers started at the same time only wait for the disk and the CPU.
const STARTS_AT_ONCE: usize = 8;

/// What steps are carried out with.
pub(crate) struct Carrier {
    pub runtime: Arc<dyn Runtime>,
    pub network: Arc<dyn Network>,
    pub drainer: Arc<dyn Drainer>,
    pub opener: Arc<dyn Opener>,
    pub reporter: Arc<dyn Reporter>,
    pub node_name: String,
    starts: Semaphore,
    /// Somebody waits for an image.
    waited_for: Notify,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is as it should be.
    Fine,
    /// The container runs.
    Started {
        address: Ipv4Addr,
        stop_grace: Duration,
        drain: Option<Duration>,
    },
    /// The replica, or the image, is at fault.
    Failed(Reason),
    /// The image went missing.
    ImageGone(String),
    /// Somebody has to do something first; the same is tried again until then.
    Blocked(Reason),
    /// containerd does not answer.
    Away(Reason),
    /// Something else is at fault; the same is tried again soon.
    Held(String),
}

impl Carrier {
    pub(crate) fn new(
        runtime: Arc<dyn Runtime>,
        network: Arc<dyn Network>,
        drainer: Arc<dyn Drainer>,
        opener: Arc<dyn Opener>,
        reporter: Arc<dyn Reporter>,
        node_name: String,
    ) -> Self {
        Self {
            runtime,
            network,
            drainer,
            opener,
            reporter,
            node_name,
            starts: Semaphore::new(STARTS_AT_ONCE),
            waited_for: Notify::new(),
        }
    }

    /// Everything of ours on this host. `as_of` is the table's stamp before anything was looked at.
    pub(super) async fn look(&self, as_of: u64) -> Result<Listing, RuntimeError> {
        let containers = self.runtime.list().await?;
        let networked = self.network.list().await.unwrap_or_else(|error| {
            let error = reason::chain(&error);
            tracing::warn!(%error, "network namespaces that are left over cannot be found");
            Vec::new()
        });
        let mut ends = BTreeMap::new();
        for it in &containers {
            ends.extend(self.end(it).await.map(|end| (it.replica, end)));
        }
        Ok(Listing {
            as_of,
            containers,
            ends,
            networked: networked.into_iter().collect(),
        })
    }

    /// One container by itself.
    pub(super) async fn look_at(&self, replica: ReplicaId, as_of: u64) -> Result<Sight, RuntimeError> {
        let container = self.runtime.find(replica).await?;
        let end = match &container {
            Some(it) => self.end(it).await,
            None => None,
        };
        Ok(Sight {
            as_of,
            replica,
            container,
            end,
        })
    }

    /// Why a container ended, if it did.
    async fn end(&self, it: &Listed) -> Option<Reason> {
        let Task::Exited { code } = it.task else { return None };
        let ending = self.runtime.ending(it.replica, it.restarts).await;
        Some(reason::exited(code, &ending))
    }

    /// Carries out one step. Everything it needs is copied now; the view may move on.
    pub(super) fn carry(
        self: Arc<Self>,
        step: Step,
        view: &NodeView,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let assignment = match &step {
            Step::Run { replica, .. } => view.assignments.iter().find(|it| it.replica.id == *replica).cloned(),
            _ => None,
        };
        let registry = credentials(&step, view);
        async move { self.outcome(step, assignment, registry).await }
    }

    async fn outcome(&self, step: Step, assignment: Option<Assignment>, registry: Option<RegistrySecret>) -> Outcome {
        let done = match step {
            Step::LookUp {
                deployment,
                image,
                or_else,
            } => return self.look_up(deployment, &image, or_else, registry).await,
            Step::Pull { image } => {
                self.waited_for.notify_waiters();
                return self.pull(&image, registry).await;
            }
            Step::Prefetch { image } => return self.prefetch(&image, registry).await,
            Step::Run { restarts, .. } => return self.run(restarts, assignment).await,
            Step::Terminate { replica } => self.runtime.signal(replica, Signal::Terminate).await,
            Step::Kill { replica } => self.runtime.signal(replica, Signal::Kill).await,
            Step::Remove { replica } => self.runtime.remove(replica).await,
            Step::Drain {
                replica,
                limit,
                tunnels,
            } => {
                self.drainer.drain(replica, limit, tunnels).await;
                Ok(())
            }
            Step::ReleaseAddress { replica } => {
                return match self.network.release(replica).await {
                    Ok(()) => Outcome::Fine,
                    Err(error) => Outcome::Held(reason::chain(&error)),
                };
            }
        };
        match done {
            Ok(()) => Outcome::Fine,
            Err(error) => failed(&error),
        }
    }

    async fn pull(&self, image: &str, registry: Option<RegistrySecret>) -> Outcome {
        let login = match self.login(registry) {
            Ok(login) => login,
            Err(outcome) => return outcome,
        };
        match self.runtime.pull(image, login.as_ref()).await {
            Ok(()) => Outcome::Fine,
            Err(error) => failed(&error),
        }
    }

    /// Makes way for an image that somebody waits for; the layers that have come are kept for the next time.
    async fn prefetch(&self, image: &str, registry: Option<RegistrySecret>) -> Outcome {
        let waited_for = self.waited_for.notified();
        let held = |why: &str| Outcome::Held(format!("{why}: images that nothing here runs can wait"));
        if !self.runtime.has_room().await {
            return held("there is little room on the disk");
        }
        tokio::select! {
            outcome = self.pull(image, registry) => outcome,
            () = waited_for => held("another image is waited for"),
        }
    }

    /// Opens credentials, for as long as they are used.
    fn login(&self, registry: Option<RegistrySecret>) -> Result<Option<Login>, Outcome> {
        let Some(RegistrySecret { name, values }) = registry else {
            return Ok(None);
        };
        match secret::open_values(&*self.opener, &values) {
            Ok(items) => Ok(Some(Login { secret: name, items })),
            Err(Unopened::Locked(reason)) => Err(Outcome::Blocked(reason)),
            Err(Unopened::Unreadable(reason)) => Err(Outcome::Failed(reason)),
        }
    }

    async fn look_up(
        &self,
        deployment: DeploymentId,
        image: &str,
        or_else: Option<String>,
        registry: Option<RegistrySecret>,
    ) -> Outcome {
        let login = match self.login(registry) {
            Ok(login) => login,
            Err(outcome) => return outcome,
        };
        let (digest, source) = match (self.runtime.look_up(image, login.as_ref()).await, or_else) {
            (Ok(digest), _) => (digest, PinSource::Registry),
            (Err(error), Some(digest)) if error.is_silence() => {
                let error = reason::chain(&error);
                tracing::warn!(%deployment, image, digest, %error, "the registry is silent: what is known runs");
                let named = named_digest(image).is_some();
                (digest, if named { PinSource::Named } else { PinSource::LastKnown })
            }
            (Err(error), _) => return failed(&error),
        };
        match self.reporter.pin(deployment, &digest, source).await {
            Ok(()) => Outcome::Fine,
            Err(error) => Outcome::Held(reason::chain(&error)),
        }
    }

    async fn run(&self, restarts: u32, assignment: Option<Assignment>) -> Outcome {
        let image = assignment.as_ref().and_then(Assignment::image_reference);
        let (
            Some(image),
            Some(Assignment {
                replica,
                service_name,
                deployment: Some(mut deployment),
                settings,
                secrets,
                ..
            }),
        ) = (image, assignment)
        else {
            return Outcome::Held("it is no longer assigned to this host".to_owned());
        };
        // It was fetched by this name.
        deployment.spec.image = image;
        let Ok(_one_of_few) = self.starts.acquire().await else {
            return Outcome::Held("the agent stops".to_owned());
        };
        let secrets = match secret::open_all(&*self.opener, &deployment, &secrets) {
            Ok(secrets) => secrets,
            Err(Unopened::Locked(reason)) => return Outcome::Blocked(reason),
            Err(Unopened::Unreadable(reason)) => return Outcome::Failed(reason),
        };
        let attachment = match self.network.attach(replica.id).await {
            Ok(attachment) => attachment,
            Err(error) => return Outcome::Failed(error.reason()),
        };
        let stop_grace = Duration::from_secs(deployment.spec.container.stop_grace_seconds.into());
        let drain = settings.drain_seconds.map(|it| Duration::from_secs(it.into()));
        let request = RunRequest {
            replica: replica.id,
            service: replica.service,
            service_name,
            deployment: deployment.id,
            version: deployment.version,
            spec: deployment.spec,
            settings,
            config: deployment.config_snapshot,
            secrets,
            restarts,
            node_name: self.node_name.clone(),
            address: attachment.address,
            netns: attachment.netns,
        };
        match self.runtime.run(&request).await {
            Ok(()) => {
                // It was drained if it had been stopped for being unfit.
                self.drainer.resume(request.replica);
                Outcome::Started {
                    address: request.address,
                    stop_grace,
                    drain,
                }
            }
            Err(RuntimeError::ImageGone { image }) => Outcome::ImageGone(image),
            Err(error) => failed(&error),
        }
    }
}

/// The credentials that a step needs. An image that several replicas wait for is fetched with those of one that has some.
fn credentials(step: &Step, view: &NodeView) -> Option<RegistrySecret> {
    let needs = |it: &&Assignment| match step {
        Step::LookUp { deployment, .. } => it.replica.deployment == *deployment,
        Step::Pull { image } => it.image_reference().as_ref() == Some(image),
        _ => false,
    };
    let own = view.assignments.iter().filter(needs).find_map(|it| it.registry.clone());
    own.or_else(|| match step {
        Step::Prefetch { image } => view.standby.iter().find(|it| it.image == *image)?.registry.clone(),
        _ => None,
    })
}

fn failed(error: &RuntimeError) -> Outcome {
    let reason = error.reason();
    if error.is_unavailable() {
        Outcome::Away(reason)
    } else {
        Outcome::Failed(reason)
    }
}
