//! A host that does what plans say, in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use model::{
    AccountId, Assignment, Deployment, DeploymentId, DeploymentStatus, ImageWanted, Intent, NodeId, NodeView, Phase,
    Replica, ReplicaId, Revision, ServiceId, ServiceSpec, Settings, Timestamp,
};
use uuid::Uuid;

use super::super::{ContainerState, Health, ImageState, Limits, LookUpStage, Moment, Observed, Step, converge};

pub(super) fn replica(n: u128) -> ReplicaId {
    ReplicaId(Uuid::from_u128(n))
}

/// Of a service without a port.
pub(super) fn worker(n: u128, intent: Intent, phase: Phase) -> Assignment {
    let mut it = assignment(n, intent, phase);
    if let Some(deployment) = &mut it.deployment {
        deployment.spec.port = None;
    }
    it
}

pub(super) fn assignment(n: u128, intent: Intent, phase: Phase) -> Assignment {
    let (service, deployment, account) = (
        ServiceId(Uuid::from_u128(100)),
        DeploymentId(Uuid::from_u128(200)),
        AccountId(Uuid::from_u128(300)),
    );
    let spec = ServiceSpec {
        image: "app:1".to_owned(),
        port: Some(8080),
        replicas: 1,
        config: None,
        secret: None,
        container: model::ContainerSpec::default(),
    };
    let deployment = Deployment {
        id: deployment,
        service,
        account,
        version: 1,
        spec,
        config_snapshot: Default::default(),
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
        phase,
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

/// Of a rollout whose image has to be looked up.
pub(super) fn unpinned(n: u128, known: Option<&str>) -> Assignment {
    let mut it = assignment(n, Intent::Run, Phase::Assigned);
    it.image = ImageWanted::LookUp {
        known: known.map(str::to_owned),
    };
    it
}

pub(super) fn target(step: &Step) -> Option<ReplicaId> {
    match step {
        Step::Pull { .. } | Step::Prefetch { .. } | Step::LookUp { .. } => None,
        Step::Run { replica, .. }
        | Step::Remove { replica }
        | Step::ReleaseAddress { replica }
        | Step::Drain { replica, .. }
        | Step::Terminate { replica }
        | Step::Kill { replica } => Some(*replica),
    }
}

/// What is wanted, what is there, and whether things go well.
pub(super) struct Host {
    pub view: NodeView,
    pub observed: Observed,
    now: Moment,
    /// Whether the next steps succeed; all do once these are used up.
    luck: std::vec::IntoIter<bool>,
}

impl Host {
    pub(super) fn new(view: NodeView, observed: Observed, luck: Vec<bool>) -> Self {
        Self {
            view,
            observed,
            now: Moment(Duration::from_secs(1)),
            luck: luck.into_iter(),
        }
    }

    /// Goes on until no plan has anything left to do, tell or wait for.
    pub(super) fn settle(&mut self) {
        for _ in 0..500 {
            let plan = converge(&self.view, &self.observed, true, self.now, &Limits::default());
            for step in &plan.steps {
                self.carry_out(step);
            }
            for report in &plan.reports {
                for it in self
                    .view
                    .assignments
                    .iter_mut()
                    .filter(|it| it.replica.id == report.replica)
                {
                    (it.replica.phase, it.replica.reason) = (report.phase, report.reason.clone());
                    (it.replica.address, it.replica.restarts) = (report.address, report.restarts);
                }
            }
            for it in self
                .observed
                .instances
                .values_mut()
                .filter(|it| it.container == ContainerState::Running)
            {
                it.health = Health::Ready;
                it.failure = None;
            }
            if plan.steps.is_empty() && plan.reports.is_empty() {
                match plan.wake_at {
                    None => return,
                    Some(at) => self.now = at,
                }
            }
            self.now = self.now.after(Duration::from_millis(10));
        }
        panic!("the host never settles: {:#?}", self.observed);
    }

    /// The cluster's answer comes with the next view.
    fn look_up(&mut self, deployment: DeploymentId, lucky: bool, or_else: Option<&str>) {
        let found = if lucky { Some("sha256:a") } else { or_else };
        let it = self.observed.look_ups.entry(deployment).or_default();
        let Some(digest) = found else {
            it.failures += 1;
            it.failure = Some(super::reason("registry_unreachable"));
            it.stage = LookUpStage::Failed(self.now);
            return;
        };
        (it.failure, it.stage) = (None, LookUpStage::Told(self.now));
        for assignment in &mut self.view.assignments {
            if matches!(assignment.image, ImageWanted::LookUp { .. }) {
                assignment.image = ImageWanted::Pinned(digest.to_owned());
            }
        }
    }

    fn carry_out(&mut self, step: &Step) {
        let lucky = self.luck.next().unwrap_or(true);
        let Some(id) = target(step) else {
            let image = match step {
                Step::Pull { image } | Step::Prefetch { image } => image,
                Step::LookUp {
                    deployment, or_else, ..
                } => return self.look_up(*deployment, lucky, or_else.as_deref()),
                _ => return,
            };
            let reason = model::Reason {
                code: "image_not_found".to_owned(),
                message: String::new(),
            };
            let failed = ImageState::Failed {
                reason,
                at: self.now,
                attempts: 1,
            };
            self.observed
                .images
                .insert(image.clone(), if lucky { ImageState::Present } else { failed });
            return;
        };
        let it = self.observed.instances.entry(id).or_default();
        match step {
            Step::Run { restarts, .. } => {
                assert!(it.container == ContainerState::Absent, "a second container for {id}");
                it.networked = true;
                it.restarts = *restarts;
                it.address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
                it.container = if lucky {
                    ContainerState::Running
                } else {
                    ContainerState::Created
                };
                it.running_since = lucky.then_some(self.now);
                (it.drained, it.terminated_at, it.killed_at) = (false, None, None);
            }
            Step::Drain { .. } => it.drained = true,
            Step::Terminate { .. } => {
                assert!(it.drained, "SIGTERM to {id} before its requests ended");
                it.terminated_at = Some(self.now);
                if lucky {
                    it.container = ContainerState::Exited;
                }
            }
            Step::Kill { .. } => {
                assert!(
                    it.terminated_at.is_some_and(|at| at.after(it.stop_grace) <= self.now),
                    "no grace for {id}"
                );
                it.killed_at = Some(self.now);
                if lucky {
                    it.container = ContainerState::Exited;
                }
            }
            Step::Remove { .. } => {
                assert!(it.container != ContainerState::Running, "{id} was removed alive");
                it.container = ContainerState::Absent;
            }
            Step::ReleaseAddress { .. } => {
                assert!(
                    it.container == ContainerState::Absent,
                    "{id} lost its address while it had a container"
                );
                it.networked = false;
            }
            Step::Pull { .. } | Step::Prefetch { .. } | Step::LookUp { .. } => {}
        }
    }
}
