//! Whether this host was suspended. Its monotonic clock stands still meanwhile, and what was measured with it has become
//! older than it looks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// How far the two clocks may seem apart because they cannot be read at once.
const READING: Duration = Duration::from_millis(1);

/// How long this host has been suspended in all since it was started: what its clock that counts that is ahead of the one
/// that does not (`clock_gettime(2)`: `CLOCK_BOOTTIME`, `CLOCK_MONOTONIC`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slept(Duration);

impl Slept {
    /// `None` where it cannot be told.
    pub(crate) fn by_now() -> Option<Self> {
        let monotonic = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?);
        let with_suspend = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?);
        Some(Self(with_suspend.saturating_sub(monotonic)))
    }

    fn since(self, earlier: Self) -> bool {
        self.0.saturating_sub(earlier.0) > READING
    }
}

/// Up to which sleep this node has asked a majority since it woke.
#[derive(Debug, Default)]
pub(crate) struct Awake(Mutex<Option<Slept>>);

impl Awake {
    /// Whether it has slept since, or nobody can tell.
    pub(crate) fn is_over(&self, now: Option<Slept>) -> bool {
        let asked = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (asked, now) {
            (Some(asked), Some(now)) => now.since(asked),
            _ => true,
        }
    }

    /// A majority has been asked after `slept`.
    pub(crate) fn note(&self, slept: Option<Slept>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = slept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_asked_first_and_again_after_each_sleep() {
        let slept = |millis| Some(Slept(Duration::from_millis(millis)));
        let awake = Awake::default();
        assert!(awake.is_over(slept(0)), "never asked");
        awake.note(slept(0));
        assert!(!awake.is_over(slept(0)));
        assert!(!awake.is_over(slept(1)), "the two clocks are never read at once");
        assert!(awake.is_over(slept(60_000)));
        assert!(awake.is_over(None));
        awake.note(slept(60_000));
        assert!(!awake.is_over(slept(60_000)));
    }

    #[test]
    fn this_host_can_tell() {
        assert!(Slept::by_now().is_some());
    }
}
