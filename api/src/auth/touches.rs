//! When keys were last used: noted here with each use, told to the cluster now and then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Actor, ApiKeyId, Command, OperationId, State, Submission, Timestamp};

use crate::port::ControlPlane;

/// A key's last use is told to the minute: a write for each use would cost more than the use.
const GRAIN: Duration = Duration::from_secs(60);

/// Uses of keys on this node that the cluster has not been told of.
#[derive(Debug, Default)]
pub struct Touches {
    noted: Mutex<HashMap<ApiKeyId, Timestamp>>,
}

impl Touches {
    /// Notes the use of a key. If the cluster's record of it is old, tells the cluster of all that was noted, without
    /// waiting for it.
    pub fn note(&self, control: &Arc<dyn ControlPlane>, state: &State, key: ApiKeyId, now: Timestamp) {
        let due = |at: Option<Timestamp>| at.is_none_or(|at| now.since(at) >= GRAIN);
        if !due(state.api_key(key).and_then(|it| it.last_used_at)) {
            return;
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if !due(noted.get(&key).copied()) {
            return;
        }
        noted.insert(key, now);
        noted.retain(|_, at| now.since(*at) < GRAIN);
        let used = vec![(key, now)];
        drop(noted);
        let operation = OperationId(uuid::Uuid::now_v7());
        let told = Submission::new(operation, Actor::System, Command::TouchApiKeys(used));
        let control = Arc::clone(control);
        // Nothing depends on it: without a quorum it stays untold.
        tokio::spawn(async move { control.submit(told).await.map(drop) });
    }
}
