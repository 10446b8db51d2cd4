//! How processes ended that containerd has forgotten, since their tasks were deleted before their containers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::ReplicaId;

use crate::runtime::{OutOfMemory, Task};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub code: u32,
    pub out_of_memory: Option<OutOfMemory>,
}

/// Ends by container, until it is removed. Lost with the daemon: such a container counts as never started.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<HashMap<ReplicaId, End>>);

impl Ends {
    pub(super) fn keep(&self, replica: ReplicaId, end: End) {
        self.with(|ends| ends.insert(replica, end));
    }

    pub(super) fn out_of_memory(&self, replica: ReplicaId) -> Option<OutOfMemory> {
        self.with(|ends| ends.get(&replica)?.out_of_memory)
    }

    pub(super) fn forget(&self, replica: ReplicaId) {
        self.with(|ends| ends.remove(&replica));
    }

    /// `seen`, or where that is nothing how it ended.
    pub(super) fn or(&self, replica: ReplicaId, seen: Task) -> Task {
        match (seen, self.with(|ends| ends.get(&replica).copied())) {
            (Task::None, Some(End { code, .. })) => Task::Exited { code },
            (seen, _) => seen,
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut HashMap<ReplicaId, End>) -> T) -> T {
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
        let out_of_memory = Some(OutOfMemory::default());
        ends.keep(replica, End { code: 3, out_of_memory });
        assert_eq!(ends.out_of_memory(replica), out_of_memory);
        assert_eq!(ends.or(replica, Task::None), Task::Exited { code: 3 });
        assert_eq!(ends.or(replica, Task::Running), Task::Running);
        ends.forget(replica);
        assert_eq!(ends.or(replica, Task::None), Task::None);
    }
}
