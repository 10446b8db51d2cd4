//! A control plane in memory: the real decisions of the model, without consensus, disk or network.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::{ClusterView, ControlPlane, MemberView, Readiness, SubmitError, Submitted, Unavailable};
use async_trait::async_trait;
use model::{Actor, Change, Command, Envelope, NodeId, OperationId, Outcome, Revision, State, Timestamp};
use uuid::Uuid;

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
    state: Mutex<State>,
    clock: AtomicU64,
    weather: Mutex<Weather>,
}

impl FakeControlPlane {
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
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

    pub fn advance(&self, span: Duration) {
        self.clock
            .fetch_add(u64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// Changes the state directly, past all decisions.
    pub fn put(&self, change: impl Into<Change>) {
        let mut state = self.state.lock().unwrap();
        let revision = Revision(state.revision().0 + 1);
        state.apply(revision, self.now(), &[change.into()]);
    }

    pub fn apply(&self, actor: Actor, command: Command) -> Result<(Outcome, Revision, State), model::Rejection> {
        let mut state = self.state.lock().unwrap();
        let revision = Revision(state.revision().0 + 1);
        let envelope = Envelope {
            operation: OperationId(Uuid::now_v7()),
            at: self.now(),
            entropy: Uuid::new_v4().as_u128(),
            actor,
            command,
        };
        let (changes, result) = model::entry_changes(&state, revision, &envelope);
        state.apply(revision, envelope.at, &changes);
        result.map(|outcome| (outcome, revision, state.clone()))
    }
}

#[async_trait]
impl ControlPlane for FakeControlPlane {
    async fn submit(&self, actor: Actor, command: Command) -> Result<Submitted, SubmitError> {
        match self.weather() {
            Weather::NoQuorum => return Err(SubmitError::Unavailable("1 of 3 voters answers".into())),
            Weather::Silence => std::future::pending().await,
            Weather::Fine | Weather::Fog => {}
        }
        let applied = self.apply(actor, command);
        if self.weather() == Weather::Fog {
            let operation = OperationId(Uuid::now_v7());
            return Err(SubmitError::OutcomeUnknown {
                operation,
                reason: "the leader went away".into(),
            });
        }
        let (outcome, revision, state) = applied.map_err(SubmitError::Rejected)?;
        Ok(Submitted {
            outcome,
            revision,
            state,
        })
    }

    async fn read(&self) -> Result<State, Unavailable> {
        match self.weather() {
            Weather::NoQuorum => Err(Unavailable("1 of 3 voters answers".into())),
            Weather::Silence => std::future::pending().await,
            Weather::Fine | Weather::Fog => Ok(self.local()),
        }
    }

    fn local(&self) -> State {
        self.state.lock().unwrap().clone()
    }

    fn staleness(&self) -> Duration {
        Duration::from_millis(1234)
    }

    /// Moves on with every look.
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1_001, Ordering::Relaxed))
    }

    fn cluster(&self) -> ClusterView {
        let revision = self.state.lock().unwrap().revision().0;
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

    fn readiness(&self) -> Readiness {
        match self.weather() {
            Weather::Fine | Weather::Fog => Readiness::Ready,
            Weather::NoQuorum | Weather::Silence => Readiness::Waiting("a quorum of voters".into()),
        }
    }
}
