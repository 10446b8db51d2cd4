//! How long to wait before trying again.

use std::time::Duration;

use model::{RestartCondition, RestartPolicy};

use super::Cause;

const LONGEST: Duration = Duration::from_secs(60);
const FIRST_RESTART: Duration = Duration::from_millis(100);
const SETTLE: Duration = Duration::from_secs(1);

/// Before a container is started again: at once (nearly) the first time, then 1 s, doubling up to what its policy allows.
/// `failures` counts those in a row and includes the one just seen.
#[must_use]
pub fn restart_delay(failures: u32, policy: RestartPolicy) -> Duration {
    match failures {
        0 | 1 => FIRST_RESTART,
        more => Duration::from_secs(1)
            .saturating_mul(2_u32.saturating_pow(more - 2))
            .min(Duration::from_secs(policy.max_delay_seconds.into())),
    }
}

/// Whether a container that came to its end in this way is started again. What could not even be started always is.
#[must_use]
pub fn is_started_again(policy: RestartPolicy, cause: Cause) -> bool {
    match (policy.condition, cause) {
        (RestartCondition::Always, _) | (_, Cause::NotStarted) => true,
        (RestartCondition::OnFailure, Cause::Ended { cleanly }) => !cleanly,
        (RestartCondition::OnFailure, Cause::Unfit) => true,
        (RestartCondition::Never, _) => false,
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
        let usual = RestartPolicy::default();
        let restarts: Vec<_> = (1..=9).map(|n| restart_delay(n, usual).as_secs_f32()).collect();
        assert_eq!(restarts, [0.1, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        let hasty = RestartPolicy {
            max_delay_seconds: 3,
            ..usual
        };
        assert_eq!([3, 4, 5].map(|n| restart_delay(n, hasty).as_secs()), [2, 3, 3]);
        let pulls: Vec<_> = (1..=7).map(|n| pull_delay(n).as_secs()).collect();
        assert_eq!(pulls, [2, 4, 8, 16, 32, 60, 60]);
        let settled: Vec<_> = (0..=7).map(|n| settle_time(n).as_secs()).collect();
        assert_eq!(settled, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(settle_time(u32::MAX), LONGEST);
        assert_eq!(restart_delay(u32::MAX, usual), LONGEST);
        assert_eq!(pull_delay(u32::MAX), LONGEST);
    }

    #[test]
    fn a_policy_says_which_ends_are_final() {
        let of = |condition| {
            let policy = RestartPolicy {
                condition,
                ..RestartPolicy::default()
            };
            let ended = |cleanly| Cause::Ended { cleanly };
            [Cause::NotStarted, ended(true), ended(false), Cause::Unfit].map(|it| is_started_again(policy, it))
        };
        assert_eq!(of(RestartCondition::Always), [true; 4]);
        assert_eq!(of(RestartCondition::OnFailure), [true, false, true, true]);
        assert_eq!(of(RestartCondition::Never), [true, false, false, false]);
    }
}
