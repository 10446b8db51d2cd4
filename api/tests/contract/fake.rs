//! A control plane in memory: the real decisions of the model, without consensus, disk or network.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use api::{
    ClusterView, ControlPlane, HealthView, MemberView, NodeHealth, Readiness, Said, SealError, Sealer, SubmitError,
    Submitted, TransferFault, Unavailable,
};
use async_trait::async_trait;
use model::{
    Actor, Change, Command, Envelope, KeyVersion, NodeId, OperationId, Revision, Sealed, SecretValue, SecretValueId,
    ServiceId, State, Submission, Timestamp,
};
use tokio::sync::watch;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::authority::FakeAuthorities;
use crate::backup::FakeBackups;
use crate::exec::FakeExecs;
use crate::keyring::FakeKeyrings;
use crate::logs::FakeLogs;

/// What goes wrong, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fine,
    /// No quorum.
    NoQuorum,
    /// Writes are lost on the way back.
    Fog,
    /// Nothing ever answers.
    Silence,
}

pub struct FakeControlPlane {
    pub keyrings: FakeKeyrings,
    pub authorities: FakeAuthorities,
    pub backups: FakeBackups,
    pub execs: FakeExecs,
    pub logs: FakeLogs,
    state: watch::Sender<State>,
    /// What this node has, where that is old.
    behind: Mutex<Option<State>>,
    reads: AtomicUsize,
    clock: AtomicU64,
    weather: Mutex<Weather>,
}

impl FakeControlPlane {
    pub fn new() -> Self {
        Self {
            keyrings: FakeKeyrings::default(),
            authorities: FakeAuthorities::default(),
            backups: FakeBackups::default(),
            execs: FakeExecs::default(),
            logs: FakeLogs::default(),
            state: watch::Sender::new(State::default()),
            behind: Mutex::new(None),
            reads: AtomicUsize::new(0),
            clock: AtomicU64::new(1_728_986_400_000_000),
            weather: Mutex::new(Weather::Fine),
        }
    }

    pub fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    /// This node has heard of nothing since `state`, until it asks, or waits for a command of its own.
    pub fn fall_behind(&self, state: State) {
        *self.behind.lock().unwrap() = Some(state);
    }

    /// How often it was asked whether a state is old.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    fn catch_up(&self) {
        *self.behind.lock().unwrap() = None;
    }

    pub fn advance(&self, span: Duration) {
        self.clock
            .fetch_add(u64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// Changes the state directly, past all decisions.
    pub fn put(&self, change: impl Into<Change>) {
        let change = change.into();
        self.state.send_modify(|state| {
            let revision = Revision(state.revision().0 + 1);
            state.apply(revision, self.now(), [change.clone()]);
        });
    }

    pub fn apply(&self, actor: Actor, command: Command) -> Result<Submitted, model::Rejection> {
        self.decide(Submission::new(OperationId(Uuid::now_v7()), actor, command))
    }

    fn decide(&self, submission: Submission) -> Result<Submitted, model::Rejection> {
        let mut decided = None;
        self.state.send_modify(|state| {
            let revision = Revision(state.revision().0 + 1);
            let envelope = Envelope {
                at: self.now(),
                entropy: Uuid::new_v4().as_u128(),
                submission,
            };
            let (changes, result) = model::entry_changes(state, revision, &envelope);
            state.apply(revision, envelope.at, changes);
            decided = Some(result.map(|outcome| Submitted {
                outcome,
                revision,
                state: state.clone(),
            }));
        });
        decided.expect("decided at once")
    }
}

#[async_trait]
impl ControlPlane for FakeControlPlane {
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        match self.weather() {
            Weather::NoQuorum => return Err(SubmitError::Unavailable("1 of 3 voters answers".into())),
            Weather::Silence => std::future::pending().await,
            Weather::Fine | Weather::Fog => {}
        }
        let operation = submission.operation;
        let applied = self.decide(submission);
        self.catch_up();
        if self.weather() == Weather::Fog {
            return Err(SubmitError::OutcomeUnknown {
                operation,
                reason: "the leader went away".into(),
            });
        }
        applied.map_err(SubmitError::Rejected)
    }

    async fn read(&self) -> Result<State, Unavailable> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match self.weather() {
            Weather::NoQuorum => Err(Unavailable("1 of 3 voters answers".into())),
            Weather::Silence => std::future::pending().await,
            Weather::Fine | Weather::Fog => {
                self.catch_up();
                Ok(self.local())
            }
        }
    }

    fn local(&self) -> State {
        let behind = self.behind.lock().unwrap().clone();
        behind.unwrap_or_else(|| self.state.borrow().clone())
    }

    async fn beyond(&self, seen: Revision) -> State {
        let mut state = self.state.subscribe();
        let newer = state.wait_for(|it| it.revision() > seen).await;
        newer.expect("the fake outlives its requests").clone()
    }

    fn staleness(&self) -> Duration {
        match self.weather() {
            Weather::Fine | Weather::Fog => Duration::from_millis(12),
            Weather::NoQuorum | Weather::Silence => Duration::from_millis(1234),
        }
    }

    /// Moves on with every look.
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1_001, Ordering::Relaxed))
    }

    fn cluster(&self) -> ClusterView {
        let revision = self.state.borrow().revision().0;
        let member = |node| MemberView {
            node: NodeId(node),
            matched_index: Some(revision),
            lag: Some(0),
        };
        ClusterView {
            node: NodeId(1),
            healthy: self.weather() == Weather::Fine,
            term: 3,
            leader: Some(NodeId(1)),
            commit_index: revision,
            applied_index: revision,
            voters: vec![member(1)],
            learners: vec![member(2)],
        }
    }

    async fn health(&self) -> HealthView {
        let node = |node| NodeHealth {
            node: NodeId(node),
            contact: Some(Duration::from_millis(7)),
            said: Ok(Said::default()),
        };
        HealthView {
            epoch: 0,
            staleness: Some(Duration::ZERO),
            nodes: vec![node(1), node(2)],
        }
    }

    async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<NodeId, TransferFault> {
        match to {
            Some(id) => Err(TransferFault::Refused(format!("node {id} has no vote"))),
            None => Ok(NodeId(1)),
        }
    }

    fn readiness(&self) -> Readiness {
        match self.weather() {
            Weather::Fine | Weather::Fog => Readiness::Ready,
            Weather::NoQuorum | Weather::Silence => Readiness::Waiting("a quorum of voters".into()),
        }
    }

    fn keyrings(&self) -> Option<&dyn api::Keyrings> {
        Some(&self.keyrings)
    }

    fn authorities(&self) -> Option<&dyn api::Authorities> {
        Some(&self.authorities)
    }

    fn backups(&self) -> Option<&dyn api::Backups> {
        Some(&self.backups)
    }

    fn explain(&self, _: &State, _: ServiceId) -> Option<api::Explanation> {
        Some(api::Explanation {
            version: 2,
            failed_version: Some(3),
            wanted: 3,
            remedies: vec![api::ExplainedRemedy {
                text: "uncordon node c".to_owned(),
                command: Some("goblins node uncordon c".to_owned()),
                places: 3,
            }],
            nodes: vec![api::ExplainedNode {
                id: NodeId(1),
                fits: false,
                free_cpu: 500,
                free_memory: 1 << 30,
                replicas: 0,
                why: "is down".to_owned(),
            }],
            ..api::Explanation::default()
        })
    }

    fn execs(&self) -> Option<&dyn api::Execs> {
        Some(&self.execs)
    }

    fn logs(&self) -> Option<&dyn api::Logs> {
        Some(&self.logs)
    }

    fn metrics(&self) -> String {
        "# nothing is measured here\n".to_owned()
    }
}

/// Seals by turning bits over: enough to see that a value was sealed, and for which place.
#[derive(Default)]
pub struct FakeSealer {
    pub is_locked: std::sync::atomic::AtomicBool,
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

fn place(id: SecretValueId, key: &str) -> Vec<u8> {
    format!("{} {key} {}", id.item, id.version).into_bytes()
}

impl FakeSealer {
    fn require_unlocked(&self) -> Result<(), SealError> {
        match self.is_locked.load(Ordering::Relaxed) {
            true => Err(SealError::Locked),
            false => Ok(()),
        }
    }
}

impl Sealer for FakeSealer {
    fn seal(&self, id: SecretValueId, key: &str, value: &str) -> Result<Sealed, SealError> {
        self.require_unlocked()?;
        Ok(Sealed {
            key: KeyVersion(1),
            wrapped: place(id, key),
            value: turned(value.as_bytes()),
        })
    }

    fn open(&self, value: &SecretValue) -> Result<Zeroizing<String>, SealError> {
        self.require_unlocked()?;
        if value.sealed.wrapped != place(value.id, &value.key) {
            return Err(SealError::Damaged(format!("the item {} does not open", value.key)));
        }
        Ok(Zeroizing::new(
            String::from_utf8(turned(&value.sealed.value)).expect("text"),
        ))
    }

    fn derive(&self, purpose: &str, input: &[u8]) -> Result<[u8; 32], SealError> {
        self.require_unlocked()?;
        let all = [purpose.as_bytes(), input].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &all);
        Ok(digest.as_ref().try_into().expect("32 bytes"))
    }
}
