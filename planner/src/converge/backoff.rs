//! How long to wait before trying again.

use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(60);
const FIRST_RESTART: Duration = Duration::from_millis(100);
const SETTLE: Duration = Duration::from_secs(1);

/// Before a container is started again: at once (nearly) the first time, then 1 s, doubling up to a minute.
/// `failures` counts those in a row and includes the one just seen.
#[must_use]
pub fn restart_delay(failures: u32) -> Duration {
    match failures {
        0 | 1 => FIRST_RESTART,
        more => doubled(Duration::from_secs(1), more - 2),
    }
}

/// Before an image is asked for again: 2 s, doubling up to a minute.
#[must_use]
pub fn pull_delay(attempts: u32) -> Duration {
    doubled(Duration::from_secs(2), attempts.saturating_sub(1))
}

/// How long a worker's process has to run before it is called ready, since it cannot be asked: 1 s, and twice as long
/// after each of the failures in a row, so that one that ends again and again is not called ready in between.
#[must_use]
pub fn settle_time(failures: u32) -> Duration {
    doubled(SETTLE, failures)
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_minute_and_never_overflow() {
        let restarts: Vec<_> = (1..=9).map(|n| restart_delay(n).as_secs_f32()).collect();
        assert_eq!(restarts, [0.1, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        let pulls: Vec<_> = (1..=7).map(|n| pull_delay(n).as_secs()).collect();
        assert_eq!(pulls, [2, 4, 8, 16, 32, 60, 60]);
        let settled: Vec<_> = (0..=7).map(|n| settle_time(n).as_secs()).collect();
        assert_eq!(settled, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(settle_time(u32::MAX), LONGEST);
        assert_eq!(restart_delay(u32::MAX), LONGEST);
        assert_eq!(pull_delay(u32::MAX), LONGEST);
    }
}
