//! A cluster that believes every report, and a proxy that has nothing in flight.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent::{Drainer, OpenError, Opener, ReportError, Reporter, Roster, Wanted};
use async_trait::async_trait;
use model::{
    AccountId, Assignment, ByteCount, ContainerSpec, Deployment, DeploymentId, DeploymentStatus, HealthCheck,
    ImageWanted, Intent, KeyVersion, Millicores, NodeId, NodeView, Phase, PinSource, Replica, ReplicaId, ReplicaReport,
    Resources, Revision, Sealed, SecretItemId, SecretPin, SecretValue, SecretValueId, ServiceId, ServiceSpec, Settings,
    Timestamp,
};
use tokio::sync::watch;
use uuid::Uuid;
use zeroize::Zeroizing;

pub fn replica(n: u128) -> ReplicaId {
    ReplicaId(Uuid::from_u128(n))
}

pub struct FakeCluster {
    pub wanted: watch::Sender<Wanted>,
    pub told: Mutex<Vec<ReplicaReport>>,
    pub drained: Mutex<Vec<ReplicaId>>,
    /// What replicas get that are wanted from now on.
    pub secrets: Mutex<Vec<Arc<SecretValue>>>,
}

impl FakeCluster {
    pub fn new() -> Self {
        Self {
            wanted: watch::channel(Wanted::default()).0,
            told: Mutex::default(),
            drained: Mutex::default(),
            secrets: Mutex::default(),
        }
    }

    pub fn seal(&self, items: &[(&str, &str)]) {
        let one = |((key, value), n): (&(&str, &str), u128)| {
            Arc::new(SecretValue {
                id: SecretValueId {
                    item: SecretItemId(Uuid::from_u128(n)),
                    version: 1,
                },
                key: (*key).to_owned(),
                sealed: Sealed {
                    key: KeyVersion(1),
                    wrapped: Vec::new(),
                    value: turned(value.as_bytes()),
                },
            })
        };
        *self.secrets.lock().unwrap() = items.iter().zip(1..).map(one).collect();
    }

    /// A port of 0 is none. Records of replicas that were wanted before stay as they are, but for their intent.
    pub fn want(&self, replicas: &[(u128, Intent, &str, u16)]) {
        self.wanted.send_modify(|wanted| {
            let known = |id| wanted.view.assignments.iter().find(|it| it.replica.id == id);
            let one = |(n, intent, image, port): &(u128, Intent, &str, u16)| {
                let mut it = known(replica(*n))
                    .cloned()
                    .unwrap_or_else(|| assignment(*n, image, *port, &self.secrets.lock().unwrap()));
                it.replica.intent = *intent;
                it
            };
            let assignments = replicas.iter().map(one).collect();
            wanted.view = Arc::new(NodeView {
                assignments,
                ..NodeView::default()
            });
            wanted.may_start = true;
        });
    }
}

impl Roster for FakeCluster {
    fn is_gone(&self, _: NodeId) -> bool {
        false
    }
}

#[async_trait]
impl Reporter for FakeCluster {
    async fn report(&self, reports: Vec<ReplicaReport>) -> Result<(), ReportError> {
        self.told.lock().unwrap().extend(reports.iter().cloned());
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
        Ok(())
    }

    async fn pin(&self, deployment: DeploymentId, digest: &str, _: PinSource) -> Result<(), ReportError> {
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

#[async_trait]
impl Drainer for FakeCluster {
    async fn drain(&self, replica: ReplicaId, _: Duration, _: Duration) {
        self.drained.lock().unwrap().push(replica);
    }

    fn resume(&self, _: ReplicaId) {}
}

/// Whose replicas all are.
pub const SERVICE: ServiceId = ServiceId(Uuid::from_u128(100));

/// No cipher, but nothing of a value can be read either.
fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x5a).collect()
}

impl Opener for FakeCluster {
    fn open(&self, value: &SecretValue) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        Ok(turned(&value.sealed.value).into())
    }
}

fn assignment(n: u128, image: &str, port: u16, secrets: &[Arc<SecretValue>]) -> Assignment {
    let (service, account) = (SERVICE, AccountId(Uuid::from_u128(300)));
    let resources = Resources {
        cpu_limit: Some(Millicores(500)),
        memory_limit: Some(ByteCount(64 << 20)),
        cpu_reservation: Millicores(100),
        memory_reservation: ByteCount(16 << 20),
    };
    let container = ContainerSpec {
        resources,
        stop_grace_seconds: 10,
        ..ContainerSpec::default()
    };
    let spec = ServiceSpec {
        image: image.to_owned(),
        port: (port > 0).then_some(port),
        replicas: 1,
        config: None,
        secret: None,
        container,
    };
    // The server listens where it is told, so one that is expected elsewhere is told so.
    let listen = if port == 9999 {
        BTreeMap::from([("PORT".to_owned(), "8080".to_owned())])
    } else {
        BTreeMap::new()
    };
    let mut config_snapshot = listen;
    config_snapshot.insert("COLOUR".to_owned(), "green".to_owned());
    config_snapshot.insert("SHAPE".to_owned(), "round".to_owned());
    let pin = |value: &Arc<SecretValue>| SecretPin {
        item: value.id.item,
        version: value.id.version,
        key: value.key.clone(),
    };
    let deployment = Deployment {
        id: DeploymentId(Uuid::from_u128(200)),
        service,
        account,
        version: 1,
        spec,
        config_snapshot,
        secrets: secrets.iter().map(pin).collect(),
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
        intent: Intent::Run,
        phase: Phase::Assigned,
        reason: None,
        address: None,
        restarts: 0,
        created_at: Timestamp(0),
        changed_at: Timestamp(0),
        revision: Revision(0),
    };
    // Long enough for those that come, and not for ever for the one that never does.
    let health_check = (port == 9999).then(|| HealthCheck {
        start_grace_seconds: 3,
        ..HealthCheck::usual(Some(port))
    });
    let settings = Settings {
        health_check,
        ..Settings::default()
    };
    Assignment {
        replica,
        service_name: "web".to_owned(),
        deployment: Some(deployment),
        settings,
        secrets: secrets.to_vec(),
        image: ImageWanted::AsNamed,
        registry: None,
    }
}
