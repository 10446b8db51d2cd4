//! The ports of the other rooms, over consensus and the proxy.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agent::{Drainer, Progress, ReportError, Reporter};
use api::{
    ClusterView, ControlPlane, HealthView, MemberView, NodeHealth, PullProgress, Pulls, Readiness, Said, SealError,
    Sealer, TransferFault,
};
use async_trait::async_trait;
use model::{
    Actor, Command, DeploymentId, KeyVersion, NodeId, PinSource, Replica, ReplicaId, ReplicaReport, Revision, Sealed,
    SecretValue, SecretValueId, ServiceId, State, Submission, Timestamp, pinned_reference,
};
use proxy::ProxyHandle;
use raft::{Cluster, PeerTls};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use storage::{Keyring, secret_context};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::backup::Backups;
use crate::explain;
use crate::hosts::Hosts;
use crate::images::Others;
use crate::keyring::Keyrings;
use crate::metrics;

/// The wall clock, for stamping.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The API's way to consensus, to the keys of all nodes, to backups, to what hosts fetch, and to the hosts themselves.
pub(crate) struct Control(
    pub(crate) Cluster,
    pub(crate) Arc<Keyrings>,
    pub(crate) Backups,
    pub(crate) Others,
    pub(crate) Hosts,
);

#[async_trait]
impl ControlPlane for Control {
    async fn submit(&self, submission: Submission) -> Result<api::Submitted, api::SubmitError> {
        match self.0.submit_as(submission, SUBMIT_LIMIT).await {
            Ok(done) => Ok(api::Submitted {
                outcome: done.outcome,
                revision: done.revision,
                state: self.0.local(),
            }),
            Err(error) => Err(submit_error(error)),
        }
    }

    async fn read(&self) -> Result<State, api::Unavailable> {
        self.0.read().await.map_err(|error| api::Unavailable(error.0))
    }

    fn local(&self) -> State {
        self.0.local()
    }

    async fn beyond(&self, seen: Revision) -> State {
        let mut feed = self.0.watch();
        loop {
            let now = self.0.local();
            if now.revision() > seen {
                return now;
            }
            if feed.next().await.is_err() {
                // The node is stopping, and the request with it.
                std::future::pending::<()>().await;
            }
        }
    }

    fn staleness(&self) -> Duration {
        self.0.staleness().unwrap_or(Duration::MAX)
    }

    fn now(&self) -> Timestamp {
        now()
    }

    fn cluster(&self) -> ClusterView {
        let status = self.0.status();
        let member = |it: raft::Member| MemberView {
            node: it.id,
            matched_index: it.matched,
            lag: it.lag,
        };
        ClusterView {
            node: status.node_id,
            healthy: status.leader.is_some() && self.0.staleness().is_some_and(|it| it < STALE),
            term: status.term,
            leader: status.leader,
            commit_index: status.commit_index.unwrap_or(0),
            applied_index: status.applied_index.unwrap_or(0),
            voters: status.voters.into_iter().map(member).collect(),
            learners: status.learners.into_iter().map(member).collect(),
        }
    }

    async fn health(&self) -> HealthView {
        let mut seen = self.0.look_around().await;
        let leads = self.0.status().leader;
        let heard = leads.and_then(|it| seen.get(&it)?.as_ref().ok().map(|it| it.heard.clone()));
        let heard = heard.unwrap_or_default();
        let nodes = std::mem::take(&mut seen).into_iter().map(|(node, look)| NodeHealth {
            node,
            // The leader does not write to itself.
            contact: heard
                .get(&node)
                .copied()
                .or((leads == Some(node) && look.is_ok()).then_some(Duration::ZERO)),
            said: look.map(|it| Said {
                last_log_index: it.last_log_index.unwrap_or(0),
                applied_index: it.applied_index.unwrap_or(0),
                disk_free: it.disk_free,
                disk_total: it.disk_total,
                version: it.version,
            }),
        });
        HealthView {
            epoch: self.0.epoch(),
            staleness: self.0.staleness(),
            nodes: nodes.collect(),
        }
    }

    async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<NodeId, TransferFault> {
        let leader = self.0.transfer_leadership(to).await.map_err(|error| match error {
            raft::TransferError::Refused(_) => TransferFault::Refused(error.to_string()),
            raft::TransferError::Unavailable(_) => TransferFault::Unavailable(error.to_string()),
        })?;
        // So that the answer shows it; the new leader may be a message away.
        let mut leadership = self.0.leadership();
        let known = leadership.wait_for(|it| it.leader == Some(leader));
        let _ = tokio::time::timeout(KNOWN_LIMIT, known).await;
        Ok(leader)
    }

    async fn pulls(&self, state: &State, replicas: &[ReplicaId]) -> Pulls {
        let found = replicas.iter().filter_map(|id| state.replica(*id));
        let fetched = |it: &Replica| {
            let image = &state.deployment(it.deployment)?.spec.image;
            let pin = state.image_pin(it.deployment);
            Some(pin.map_or_else(|| image.clone(), |pin| pinned_reference(image, &pin.digest)))
        };
        let wanted: Vec<_> = found.filter_map(|it| Some((it.id, (it.node, fetched(it)?)))).collect();
        let nodes = wanted.iter().map(|(_, (node, _))| *node).collect();
        let told = self.3.pulls(&nodes).await;
        let progress = |it: &Progress| PullProgress {
            done: it.done,
            total: it.total,
        };
        let told = wanted
            .into_iter()
            .filter_map(|(id, key)| Some((id, progress(told.get(&key)?))));
        told.collect()
    }

    fn readiness(&self) -> Readiness {
        match (self.0.status().leader, self.0.staleness()) {
            (None, _) => Readiness::Waiting("no leader is known; a majority of the voters has to be up".to_owned()),
            (Some(leader), None) => Readiness::Waiting(format!("no word from the leader, node {leader}, yet")),
            (Some(leader), Some(age)) if age >= STALE => Readiness::Waiting(format!(
                "no word from the leader, node {leader}, for {} ms",
                age.as_millis()
            )),
            (Some(_), Some(_)) => Readiness::Ready,
        }
    }

    fn metrics(&self) -> String {
        metrics::text(&self.0)
    }

    fn keyrings(&self) -> Option<&dyn api::Keyrings> {
        Some(&*self.1)
    }

    fn authorities(&self) -> Option<&dyn api::Authorities> {
        Some(self)
    }

    fn backups(&self) -> Option<&dyn api::Backups> {
        Some(&self.2)
    }

    fn explain(&self, state: &State, service: ServiceId) -> Option<api::Explanation> {
        explain::of(state, service, now())
    }

    fn execs(&self) -> Option<&dyn api::Execs> {
        Some(&self.4)
    }

    fn logs(&self) -> Option<&dyn api::Logs> {
        Some(&self.4)
    }
}

/// What the API says of a command that did not take effect.
pub(crate) fn submit_error(error: raft::SubmitError) -> api::SubmitError {
    match error {
        raft::SubmitError::Rejected(rejection) => api::SubmitError::Rejected(rejection),
        raft::SubmitError::Unavailable(why) => api::SubmitError::Unavailable(why),
        error @ raft::SubmitError::OutcomeUnknown { operation } => api::SubmitError::OutcomeUnknown {
            operation,
            reason: error.to_string(),
        },
    }
}

/// How long a client's command is tried for; shorter than the request may take.
const SUBMIT_LIMIT: Duration = Duration::from_secs(8);
/// How long an answer waits for word from a leader that has just taken over.
const KNOWN_LIMIT: Duration = Duration::from_secs(1);
/// Without word from a leader for this long, a node does not call itself ready.
const STALE: Duration = Duration::from_secs(2);

/// The API's way to the keys of this node.
pub(crate) struct Seals(pub(crate) Keyring, pub(crate) Arc<Keyrings>);

#[async_trait]
impl Sealer for Seals {
    fn seal(&self, id: SecretValueId, key: &str, value: &str) -> Result<Sealed, SealError> {
        let context = secret_context(id.item.0, key, id.version);
        self.0.seal(&context, value.as_bytes()).map_err(|it| refused(it, key))
    }

    fn open(&self, value: &SecretValue) -> Result<Zeroizing<String>, SealError> {
        let context = secret_context(value.id.item.0, &value.key, value.id.version);
        let plain = self
            .0
            .open(&context, &value.sealed)
            .map_err(|it| refused(it, &value.key))?;
        match std::str::from_utf8(&plain) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err(SealError::Damaged(format!("the item {} holds no text", value.key))),
        }
    }

    async fn obtain(&self, key: KeyVersion) {
        self.1.obtain(key).await;
    }

    fn derive(&self, purpose: &str, input: &[u8]) -> Result<[u8; 32], SealError> {
        self.0.derive_secret(purpose, input).map_err(|it| refused(it, purpose))
    }
}

/// Names the item, never what is in it.
fn refused(error: storage::SealError, key: &str) -> SealError {
    match error {
        storage::SealError::Locked => SealError::Locked,
        storage::SealError::UnknownKey(version) => SealError::Missing(version),
        other => SealError::Damaged(format!("the item {key}: {other}")),
    }
}

/// The agent's way to tell what became of its replicas.
pub(crate) struct Reports {
    pub(crate) cluster: Cluster,
    pub(crate) node: NodeId,
    pub(crate) boot: Uuid,
}

#[async_trait]
impl Reporter for Reports {
    async fn report(&self, reports: Vec<ReplicaReport>) -> Result<(), ReportError> {
        let command = Command::ReportReplicas {
            node: self.node,
            boot: self.boot,
            reports,
        };
        let result = self.cluster.submit(Actor::System, command).await;
        result.map(drop).map_err(|error| ReportError(chain(&error)))
    }

    async fn pin(&self, deployment: DeploymentId, digest: &str, source: PinSource) -> Result<(), ReportError> {
        let command = Command::PinImage {
            deployment,
            digest: digest.to_owned(),
            source,
        };
        let result = self.cluster.submit(Actor::System, command).await;
        result.map(drop).map_err(|error| ReportError(chain(&error)))
    }
}

/// The agent's way to keep requests away from a replica that is about to end.
pub(crate) struct Drains(pub(crate) Arc<ProxyHandle>);

#[async_trait]
impl Drainer for Drains {
    async fn drain(&self, replica: ReplicaId, limit: Duration, tunnels: Duration) {
        self.0.drain(replica, limit, tunnels).await;
    }

    fn resume(&self, replica: ReplicaId) {
        self.0.resume(replica);
    }
}

/// The proxy's way to know other proxies of the cluster.
pub(crate) struct ProxyPeers(pub(crate) PeerTls);

impl proxy::Peers for ProxyPeers {
    fn server(&self) -> Option<Arc<ServerConfig>> {
        self.0.server()
    }

    fn client(&self, node: NodeId) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        self.0.client(node)
    }

    fn member(&self, certificate: &CertificateDer<'_>) -> Option<NodeId> {
        self.0.member(certificate)
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |it| it.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
