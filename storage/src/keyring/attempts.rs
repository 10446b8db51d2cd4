//! How soon after a wrong passphrase another is looked at.

use std::time::{Duration, Instant};

/// After the first wrong passphrase; doubled with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// Never longer than this, so that nobody can lock the owner out for good.
const LONGEST: Duration = Duration::from_secs(300);

/// Wrong passphrases since the last right one. Kept in memory only: who can restart the daemon at will can read the
/// file and guess elsewhere, where only the cost of argon2 stands in the way.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    wrong: u32,
    not_before: Option<Instant>,
}

impl Attempts {
    /// The time to wait if it is too soon for another attempt.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.not_before
            .map(|it| it.saturating_duration_since(now))
            .filter(|it| !it.is_zero())
    }

    /// Notes a wrong one; answers the time to wait from now.
    pub(super) fn failed(&mut self, now: Instant) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.wrong));
        let wait = doubled.min(LONGEST);
        self.wrong = self.wrong.saturating_add(1);
        self.not_before = now.checked_add(wait);
        wait
    }

    /// Notes a right one.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

/// Whole seconds, rounded up: who waits them has waited long enough.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_attempt_doubles_the_wait_up_to_five_minutes() {
        let start = Instant::now();
        let mut attempts = Attempts::default();
        assert_eq!(attempts.wait(start), None);
        let waits: Vec<u64> = (0..12).map(|_| seconds(attempts.failed(start))).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        let later = start + Duration::from_millis(299_500);
        assert_eq!(attempts.wait(later).map(seconds), Some(1));
        assert_eq!(attempts.wait(start + LONGEST), None);
        attempts.succeeded();
        assert_eq!(attempts.wait(start), None);
        assert_eq!(attempts.failed(start), FIRST);
    }

    #[test]
    fn no_count_of_attempts_overflows() {
        let start = Instant::now();
        let mut attempts = Attempts {
            wrong: u32::MAX,
            not_before: None,
        };
        assert_eq!(attempts.failed(start), LONGEST);
    }
}
