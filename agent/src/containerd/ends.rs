//! How processes ended that containerd has forgotten, since their tasks were deleted before their containers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::ReplicaId;

use crate::runtime::Task;

/// Exit codes by container, until it is removed. Lost with the daemon: such a container counts as never started.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<HashMap<ReplicaId, u32>>);

impl Ends {
    pub(super) fn keep(&self, replica: ReplicaId, code: u32) {
        self.with(|codes| codes.insert(replica, code));
    }

    pub(super) fn forget(&self, replica: ReplicaId) {
        self.with(|codes| codes.remove(&replica));
    }

    /// `seen`, or where that is nothing how it ended.
    pub(super) fn or(&self, replica: ReplicaId, seen: Task) -> Task {
        match (seen, self.with(|codes| codes.get(&replica).copied())) {
            (Task::None, Some(code)) => Task::Exited { code },
            (seen, _) => seen,
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut HashMap<ReplicaId, u32>) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_known_until_the_container_goes_and_what_is_seen_counts_for_more() {
        let (ends, replica) = (Ends::default(), ReplicaId(uuid::Uuid::nil()));
        assert_eq!(ends.or(replica, Task::None), Task::None);
        ends.keep(replica, 3);
        assert_eq!(ends.or(replica, Task::None), Task::Exited { code: 3 });
        assert_eq!(ends.or(replica, Task::Running), Task::Running);
        ends.forget(replica);
        assert_eq!(ends.or(replica, Task::None), Task::None);
    }
}
