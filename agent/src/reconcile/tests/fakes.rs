//! A host in memory, and a cluster that believes every report.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use model::{
    AccountId, Assignment, ContainerSpec, Deployment, DeploymentId, DeploymentStatus, HealthCheck, ImageWanted, Intent,
    KeyVersion, NodeId, NodeView, Phase, PinSource, Probe, RegistrySecret, Replica, ReplicaId, ReplicaReport,
    RestartPolicy, Revision, Sealed, SecretItemId, SecretPin, SecretValue, SecretValueId, ServiceId, ServiceSpec,
    Settings, Standby, Timestamp,
};
use planner::Limits;
use tokio::sync::{broadcast, mpsc, watch};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::image::{Login, PullError};
use crate::network::{Attachment, Network, NetworkError};
use crate::ports::{Drainer, OpenError, Opener, ReportError, Reporter, Wanted};
use crate::runtime::{CommandEnd, Ending, Listed, RunRequest, Runtime, RuntimeError, RuntimeEvent, Signal, Task};
use crate::{Agent, AgentConfig};

pub(super) fn replica(n: u128) -> ReplicaId {
    ReplicaId(Uuid::from_u128(n))
}

fn number(replica: ReplicaId) -> u128 {
    replica.0.as_u128()
}

struct FakeHost {
    state: Mutex<State>,
    events: broadcast::Sender<RuntimeEvent>,
    pulls: tokio::sync::Mutex<Option<mpsc::Receiver<()>>>,
    /// How many pulls have begun.
    begun: watch::Sender<usize>,
}

struct State {
    containers: BTreeMap<ReplicaId, Listed>,
    networked: BTreeSet<ReplicaId>,
    log: Vec<String>,
    away: bool,
    unopened: Option<OpenError>,
    silent: bool,
    opened: usize,
    /// How every health check by a command comes out.
    check: CommandEnd,
}

impl Default for State {
    fn default() -> Self {
        Self {
            containers: BTreeMap::new(),
            networked: BTreeSet::new(),
            log: Vec::new(),
            away: false,
            unopened: None,
            silent: false,
            opened: 0,
            check: CommandEnd::Exited(0, String::new()),
        }
    }
}

impl FakeHost {
    fn note(&self, text: String) {
        self.state.lock().unwrap().log.push(text);
    }

    fn there(&self) -> Result<(), RuntimeError> {
        if self.state.lock().unwrap().away {
            return Err(RuntimeError::Unavailable {
                socket: "/fake".to_owned(),
                source: "gone".into(),
            });
        }
        Ok(())
    }

    fn end(&self, replica: ReplicaId, code: u32) {
        if let Some(it) = self.state.lock().unwrap().containers.get_mut(&replica) {
            it.task = Task::Exited { code };
        }
        let _ = self.events.send(RuntimeEvent::Exited { replica, code });
    }
}

#[async_trait]
impl Runtime for FakeHost {
    async fn list(&self) -> Result<Vec<Listed>, RuntimeError> {
        self.there()?;
        Ok(self.state.lock().unwrap().containers.values().cloned().collect())
    }

    async fn find(&self, replica: ReplicaId) -> Result<Option<Listed>, RuntimeError> {
        self.there()?;
        Ok(self.state.lock().unwrap().containers.get(&replica).cloned())
    }

    async fn look_up(&self, image: &str, _: Option<&Login>) -> Result<String, RuntimeError> {
        self.there()?;
        self.note(format!("look up {image}"));
        if self.state.lock().unwrap().silent {
            return Err(RuntimeError::Pull(PullError::Registry {
                image: image.to_owned(),
                registry: "registry.test".to_owned(),
                source: "no answer".into(),
            }));
        }
        Ok("sha256:new".to_owned())
    }

    async fn pull(&self, image: &str, login: Option<&Login>) -> Result<(), RuntimeError> {
        self.there()?;
        self.begun.send_modify(|it| *it += 1);
        if let Some(hold) = self.pulls.lock().await.as_mut() {
            hold.recv().await;
        }
        let login = login.map(|it| format!(" as {}", it.secret)).unwrap_or_default();
        self.note(format!("pull {image}{login}"));
        Ok(())
    }

    async fn has_room(&self) -> bool {
        true
    }

    async fn run(&self, request: &RunRequest) -> Result<(), RuntimeError> {
        self.there()?;
        let secrets: Vec<_> = request.secrets.iter().map(|it| format!(" with {}", it.key)).collect();
        self.note(format!("run {}{}", number(request.replica), secrets.concat()));
        let listed = Listed {
            replica: request.replica,
            task: Task::Running,
            address: Some(request.address),
            restarts: request.restarts,
            stop_grace: Duration::from_secs(10),
            drain: None,
        };
        self.state.lock().unwrap().containers.insert(request.replica, listed);
        Ok(())
    }

    async fn signal(&self, replica: ReplicaId, signal: Signal) -> Result<(), RuntimeError> {
        self.there()?;
        self.note(format!(
            "{} {}",
            if signal == Signal::Kill { "kill" } else { "terminate" },
            number(replica)
        ));
        self.end(replica, 0);
        Ok(())
    }

    async fn remove(&self, replica: ReplicaId) -> Result<(), RuntimeError> {
        self.there()?;
        self.note(format!("remove {}", number(replica)));
        self.state.lock().unwrap().containers.remove(&replica);
        Ok(())
    }

    fn events(&self) -> mpsc::Receiver<RuntimeEvent> {
        let (send, receive) = mpsc::channel(100);
        let mut events = self.events.subscribe();
        tokio::spawn(async move {
            while let Ok(event) = events.recv().await {
                if send.send(event).await.is_err() {
                    return;
                }
            }
        });
        receive
    }

    async fn ending(&self, _: ReplicaId, _: u32) -> Ending {
        Ending {
            last_lines: vec!["last words".to_owned()],
            out_of_memory: None,
        }
    }

    async fn check(&self, replica: ReplicaId, _: &[String], _: Duration) -> Result<CommandEnd, RuntimeError> {
        self.there()?;
        let state = self.state.lock().unwrap();
        let runs = state
            .containers
            .get(&replica)
            .is_some_and(|it| it.task == Task::Running);
        Ok(if runs { state.check.clone() } else { CommandEnd::Gone })
    }
}

#[async_trait]
impl Network for FakeHost {
    async fn prepare(&self) -> Result<(), NetworkError> {
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ReplicaId>, NetworkError> {
        Ok(self.state.lock().unwrap().networked.iter().copied().collect())
    }

    fn keep(&self, _: ReplicaId, _: Ipv4Addr) {}

    async fn attach(&self, replica: ReplicaId) -> Result<Attachment, NetworkError> {
        self.note(format!("attach {}", number(replica)));
        self.state.lock().unwrap().networked.insert(replica);
        // Nothing listens there, so no container of these tests ever becomes ready.
        Ok(Attachment {
            address: Ipv4Addr::new(127, 0, 0, 9),
            netns: "/fake".into(),
        })
    }

    async fn release(&self, replica: ReplicaId) -> Result<(), NetworkError> {
        self.note(format!("release {}", number(replica)));
        self.state.lock().unwrap().networked.remove(&replica);
        Ok(())
    }
}

#[async_trait]
impl Drainer for FakeHost {
    async fn drain(&self, replica: ReplicaId, _: Duration, _: Duration) {
        self.note(format!("drain {}", number(replica)));
    }

    fn resume(&self, _: ReplicaId) {}
}

impl Opener for FakeHost {
    fn open(&self, value: &SecretValue) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut state = self.state.lock().unwrap();
        match state.unopened.clone() {
            Some(error) => Err(error),
            None => {
                state.opened += 1;
                Ok(Zeroizing::new(value.sealed.value.clone()))
            }
        }
    }
}

/// Puts reports into the view at once, and shows them to the test.
struct FakeCluster {
    wanted: watch::Sender<Wanted>,
    reports: mpsc::UnboundedSender<ReplicaReport>,
    count: Mutex<usize>,
    pins: Mutex<Vec<(String, PinSource)>>,
}

#[async_trait]
impl Reporter for FakeCluster {
    async fn report(&self, reports: Vec<ReplicaReport>) -> Result<(), ReportError> {
        self.wanted.send_modify(|wanted| {
            let mut view = NodeView::clone(&wanted.view);
            for report in &reports {
                for it in view.assignments.iter_mut().filter(|it| it.replica.id == report.replica) {
                    (it.replica.phase, it.replica.reason) = (report.phase, report.reason.clone());
                    (it.replica.address, it.replica.restarts) = (report.address, report.restarts);
                }
            }
            wanted.view = Arc::new(view);
        });
        *self.count.lock().unwrap() += reports.len();
        for report in reports {
            let _ = self.reports.send(report);
        }
        Ok(())
    }

    async fn pin(&self, deployment: DeploymentId, digest: &str, source: PinSource) -> Result<(), ReportError> {
        self.pins.lock().unwrap().push((digest.to_owned(), source));
        self.wanted.send_modify(|wanted| {
            let mut view = NodeView::clone(&wanted.view);
            for it in view
                .assignments
                .iter_mut()
                .filter(|it| it.replica.deployment == deployment)
            {
                it.image = ImageWanted::Pinned(digest.to_owned());
            }
            wanted.view = Arc::new(view);
        });
        Ok(())
    }
}

/// One host with its agent, and the test's handles on both.
pub(super) struct World {
    host: Arc<FakeHost>,
    cluster: Arc<FakeCluster>,
    reports: mpsc::UnboundedReceiver<ReplicaReport>,
    agent: Agent,
}

impl World {
    /// With containers that run already, as an earlier agent left them.
    pub(super) async fn start(running: &[u128]) -> Self {
        let mut state = State::default();
        for n in running {
            let listed = Listed {
                replica: replica(*n),
                task: Task::Running,
                address: Some(Ipv4Addr::new(127, 0, 0, 9)),
                restarts: 0,
                stop_grace: Duration::from_secs(10),
                drain: None,
            };
            state.containers.insert(replica(*n), listed);
            state.networked.insert(replica(*n));
        }
        let events = broadcast::channel(100).0;
        let host = Arc::new(FakeHost {
            state: Mutex::new(state),
            events,
            pulls: Default::default(),
            begun: watch::channel(0).0,
        });
        let (send, reports) = mpsc::unbounded_channel();
        let wanted = watch::channel(Wanted::default()).0;
        let cluster = Arc::new(FakeCluster {
            wanted,
            reports: send,
            count: Mutex::default(),
            pins: Mutex::default(),
        });
        let agent = Self::agent(&host, &cluster).await;
        Self {
            host,
            cluster,
            reports,
            agent,
        }
    }

    async fn agent(host: &Arc<FakeHost>, cluster: &Arc<FakeCluster>) -> Agent {
        let config = AgentConfig {
            node_name: "n1".to_owned(),
            limits: Limits::default(),
        };
        let wanted = cluster.wanted.subscribe();
        Agent::start(
            config,
            host.clone(),
            host.clone(),
            wanted,
            cluster.clone(),
            host.clone(),
            host.clone(),
        )
        .await
        .unwrap()
    }

    pub(super) async fn restart(self) -> Self {
        let Self {
            host,
            cluster,
            reports,
            agent,
        } = self;
        agent.stop().await;
        let agent = Self::agent(&host, &cluster).await;
        Self {
            host,
            cluster,
            reports,
            agent,
        }
    }

    /// Has everything stopped, and says what was done all in all.
    pub(super) async fn clear(self) -> Vec<String> {
        self.agent.clear().await;
        self.host.state.lock().unwrap().log.clone()
    }

    /// A worker with one secret.
    pub(super) fn want_sealed(&self, n: u128, intent: Intent) {
        let value = SecretValue {
            id: SecretValueId {
                item: SecretItemId(Uuid::from_u128(5)),
                version: 1,
            },
            key: "TOKEN".to_owned(),
            sealed: Sealed {
                key: KeyVersion(1),
                wrapped: Vec::new(),
                value: b"tweet".to_vec(),
            },
        };
        let mut it = assignment(n, intent);
        let deployment = it.deployment.as_mut().unwrap();
        deployment.spec.port = None;
        deployment.secrets = vec![SecretPin {
            item: value.id.item,
            version: value.id.version,
            key: value.key.clone(),
        }];
        it.secrets = vec![Arc::new(value)];
        let view = Arc::new(NodeView {
            assignments: vec![it],
            ..NodeView::default()
        });
        self.cluster.wanted.send_replace(Wanted { view, may_start: true });
    }

    /// Of a rollout whose image has to be looked up.
    pub(super) fn want_unpinned(&self, replicas: &[u128], known: Option<&str>) {
        let unpinned = |n: &u128| Assignment {
            image: ImageWanted::LookUp {
                known: known.map(str::to_owned),
            },
            ..assignment(*n, Intent::Run)
        };
        let view = Arc::new(NodeView {
            assignments: replicas.iter().map(unpinned).collect(),
            ..NodeView::default()
        });
        self.cluster.wanted.send_replace(Wanted { view, may_start: true });
    }

    /// An image whose registry wants the credentials of a secret.
    pub(super) fn want_private(&self, n: u128) {
        let view = Arc::new(NodeView {
            assignments: vec![private(n, 1)],
            ..NodeView::default()
        });
        self.cluster.wanted.send_replace(Wanted { view, may_start: true });
    }

    /// A service whose health check is a command, of which one failure is enough.
    pub(super) fn want_checked(&self, n: u128, restart: RestartPolicy) {
        let mut it = assignment(n, Intent::Run);
        it.settings.restart = restart;
        it.settings.health_check = Some(HealthCheck {
            threshold: 1,
            start_grace_seconds: 0,
            interval_seconds: 1,
            ..HealthCheck::plain(Probe::Command(vec!["check".to_owned()]))
        });
        let view = Arc::new(NodeView {
            assignments: vec![it],
            ..NodeView::default()
        });
        self.cluster.wanted.send_replace(Wanted { view, may_start: true });
    }

    /// The registry gives no answers, or does again.
    pub(super) fn silence(&self, silent: bool) {
        self.host.state.lock().unwrap().silent = silent;
    }

    /// What was told of images.
    pub(super) fn pins(&self) -> Vec<(String, PinSource)> {
        self.cluster.pins.lock().unwrap().clone()
    }

    /// How health checks come out from now on.
    pub(super) fn checks(&self, end: CommandEnd) {
        self.host.state.lock().unwrap().check = end;
    }

    /// Nothing can be opened for this reason; `None` ends that.
    pub(super) fn refuse_to_open(&self, why: Option<OpenError>) {
        self.host.state.lock().unwrap().unopened = why;
    }

    /// How often a value was opened.
    pub(super) fn opened(&self) -> usize {
        self.host.state.lock().unwrap().opened
    }

    pub(super) fn want(&self, replicas: &[(u128, Intent)]) {
        self.set(replicas, true);
    }

    /// Besides the replicas, an image that this host may need some day.
    pub(super) fn want_beside_standby(&self, replicas: &[(u128, Intent)], image: &str) {
        self.set(replicas, true);
        let (image, registry) = (image.to_owned(), None);
        self.cluster.wanted.send_modify(|wanted| {
            let mut view = NodeView::clone(&wanted.view);
            view.standby.push(Standby { image, registry });
            wanted.view = Arc::new(view);
        });
    }

    /// Waits until so many pulls have begun in all.
    pub(super) async fn until_begun(&self, pulls: usize) {
        let mut begun = self.host.begun.subscribe();
        begun.wait_for(|it| *it >= pulls).await.unwrap();
    }

    /// As a node that has not caught up yet.
    pub(super) fn want_cautiously(&self, replicas: &[(u128, Intent)]) {
        self.set(replicas, false);
    }

    fn set(&self, replicas: &[(u128, Intent)], may_start: bool) {
        let assignments = replicas.iter().map(|(n, intent)| assignment(*n, *intent)).collect();
        let view = Arc::new(NodeView {
            assignments,
            ..NodeView::default()
        });
        self.cluster.wanted.send_replace(Wanted { view, may_start });
    }

    pub(super) async fn until_phase(&mut self, n: u128, phase: Phase) -> ReplicaReport {
        let wait = async {
            loop {
                let report = self.reports.recv().await.unwrap();
                if report.replica == replica(n) && report.phase == phase {
                    return report;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(100), wait)
            .await
            .expect("the phase is never reported")
    }

    pub(super) async fn until_gone(&mut self, n: u128) {
        let gone = || !self.host.state.lock().unwrap().networked.contains(&replica(n));
        for _ in 0..1000 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{n} is never gone");
    }

    /// Lets the loop look at everything once more by itself.
    pub(super) async fn idle(&mut self) {
        tokio::time::sleep(super::super::RESYNC + Duration::from_millis(500)).await;
    }

    pub(super) fn end(&self, n: u128, code: u32) {
        self.host.end(replica(n), code);
    }

    pub(super) fn away(&self, away: bool) {
        self.host.state.lock().unwrap().away = away;
    }

    pub(super) fn hold_pulls(&self, hold: mpsc::Receiver<()>) {
        *self.host.pulls.try_lock().unwrap() = Some(hold);
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.host.state.lock().unwrap().log.clone()
    }

    pub(super) fn reports(&self) -> usize {
        *self.cluster.count.lock().unwrap()
    }
}

/// A replica of an image that a registry gives for a password only, which was changed so often.
pub(super) fn private(n: u128, version: u32) -> Assignment {
    let value = SecretValue {
        id: SecretValueId {
            item: SecretItemId(Uuid::from_u128(6)),
            version,
        },
        key: "password".to_owned(),
        sealed: Sealed {
            key: KeyVersion(1),
            wrapped: Vec::new(),
            value: b"tweet".to_vec(),
        },
    };
    Assignment {
        image: ImageWanted::Pinned("sha256:old".to_owned()),
        registry: Some(RegistrySecret {
            name: "registry".to_owned(),
            values: vec![Arc::new(value)],
        }),
        ..assignment(n, Intent::Run)
    }
}

fn assignment(n: u128, intent: Intent) -> Assignment {
    let (service, account) = (ServiceId(Uuid::from_u128(100)), AccountId(Uuid::from_u128(300)));
    let container = ContainerSpec {
        stop_grace_seconds: 10,
        ..ContainerSpec::default()
    };
    let spec = ServiceSpec {
        image: "app:1".to_owned(),
        port: Some(9),
        replicas: 1,
        config: None,
        secret: None,
        container,
    };
    let deployment = Deployment {
        id: DeploymentId(Uuid::from_u128(200)),
        service,
        account,
        version: 1,
        spec,
        config_snapshot: BTreeMap::new(),
        secrets: Vec::new(),
        status: DeploymentStatus::Pending,
        deployed_at: Timestamp(0),
        deployed_by: String::new(),
        rollback_from: None,
        notes: String::new(),
        error_message: String::new(),
        deadline: Timestamp(0),
        revision: Revision(0),
    };
    let replica = Replica {
        id: replica(n),
        service,
        deployment: deployment.id,
        account,
        version: 1,
        node: NodeId(1),
        intent,
        phase: Phase::Assigned,
        reason: None,
        address: None,
        restarts: 0,
        created_at: Timestamp(0),
        changed_at: Timestamp(0),
        revision: Revision(0),
    };
    Assignment {
        replica,
        service_name: "web".to_owned(),
        deployment: Some(deployment),
        settings: Settings::default(),
        secrets: Vec::new(),
        image: ImageWanted::AsNamed,
        registry: None,
    }
}
