//! How many replicas a rollout replaces at a time.

use model::UpdatePolicy;

/// How fast a rollout of a service goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    wanted: usize,
    surge: usize,
    /// So many at a time, where that is said.
    at_once: Option<usize>,
}

/// The replicas of a service, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Of those that are to stay, those that answer.
    pub ready: usize,
    /// Of those that are to stay, those that do not answer yet.
    pub starting: usize,
    /// Those that are to be replaced.
    pub old: usize,
    /// Those that have been told to stop, and have not.
    pub stopping: usize,
}

impl Pace {
    pub(super) fn new(policy: UpdatePolicy, wanted: usize) -> Self {
        Self {
            wanted,
            surge: policy.max_surge.map_or(wanted.div_ceil(4).max(1), usize::from),
            at_once: policy.parallelism.map(usize::from),
        }
    }

    /// Whether an old one has to go before a new one comes.
    pub(super) fn stops_first(&self) -> bool {
        self.surge == 0
    }

    /// How many more may be started now. One that stops still holds its place where there may be no surplus.
    pub(super) fn room(&self, count: Count) -> usize {
        let held = if self.stops_first() { count.stopping } else { 0 };
        let room = (self.wanted + self.surge).saturating_sub(count.ready + count.starting + count.old + held);
        match self.at_once {
            // How many start at once matters only while others are replaced.
            Some(at_once) if count.old > 0 => room.min(at_once.saturating_sub(count.starting)),
            _ => room,
        }
    }

    /// So many have to answer, whatever is stopped.
    pub(super) fn floor(&self) -> usize {
        if self.stops_first() {
            self.wanted.saturating_sub(self.at_once.unwrap_or(1))
        } else {
            self.wanted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(parallelism: Option<u8>, max_surge: Option<u8>, wanted: usize) -> Pace {
        let policy = UpdatePolicy {
            parallelism,
            max_surge,
            auto_rollback: true,
        };
        Pace::new(policy, wanted)
    }

    fn count(ready: usize, starting: usize, old: usize, stopping: usize) -> Count {
        Count {
            ready,
            starting,
            old,
            stopping,
        }
    }

    #[test]
    fn a_quarter_more_may_run_where_nobody_says() {
        for (wanted, room) in [(1, 1), (4, 1), (5, 2), (12, 3)] {
            let pace = pace(None, None, wanted);
            assert_eq!((pace.room(count(0, 0, wanted, 9)), pace.floor()), (room, wanted));
        }
    }

    #[test]
    fn no_more_than_said_are_replaced_at_a_time() {
        let pace = pace(Some(2), Some(4), 6);
        assert_eq!(pace.room(count(0, 0, 6, 0)), 2);
        assert_eq!(pace.room(count(0, 1, 6, 0)), 1);
        assert_eq!(pace.room(count(2, 2, 4, 0)), 0);
        assert_eq!(pace.room(count(0, 0, 0, 0)), 10, "a first rollout replaces none");
    }

    #[test]
    fn without_a_surge_an_old_one_goes_first() {
        let pace = pace(Some(2), Some(0), 3);
        assert_eq!((pace.floor(), pace.stops_first()), (1, true));
        assert_eq!(pace.room(count(0, 0, 1, 2)), 0, "two are still stopping");
        assert_eq!(pace.room(count(0, 0, 1, 1)), 1);
        assert_eq!(pace.room(count(0, 0, 1, 0)), 2);
    }
}
