//! One change of a container at a time: nothing is removed that somebody else is just making anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use model::ReplicaId;
use tokio::sync::OwnedMutexGuard;

type Lock = tokio::sync::Mutex<()>;

/// Who is at which container.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<ReplicaId, Weak<Lock>>>);

impl Turns {
    /// Waits for its turn at a container; it lasts as long as what is returned.
    pub(super) async fn take(&self, replica: ReplicaId) -> OwnedMutexGuard<()> {
        self.of(replica).lock_owned().await
    }

    fn of(&self, replica: ReplicaId) -> Arc<Lock> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = all.get(&replica).and_then(Weak::upgrade) {
            return lock;
        }
        all.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(Lock::default());
        all.insert(replica, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_container_is_changed_by_one_at_a_time_and_nothing_is_kept() {
        let turns = Turns::default();
        let (one, two) = (ReplicaId(uuid::Uuid::from_u128(1)), ReplicaId(uuid::Uuid::from_u128(2)));
        let mine = turns.take(one).await;
        assert!(turns.of(one).try_lock().is_err());
        drop(turns.take(two).await);
        drop(mine);
        assert!(turns.of(one).try_lock().is_ok());
        drop(turns.take(two).await);
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
