//! Turns single answers into verdicts.

use std::time::Duration;

use model::{HealthCheck, Probe};

use super::Before;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Commands are dearer than connections.
const FIRST_PAUSE_OF_COMMANDS: Duration = Duration::from_millis(250);
const LONGEST_STARTING_PAUSE: Duration = Duration::from_millis(500);

/// A new verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// Fit for requests.
    Fit,
    /// No longer.
    Unfit,
    /// To be started again.
    Failed,
}

/// The last verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has not been fit since it was started.
    Starting,
    Fit,
    Unfit,
    Failed,
}

/// Turns single answers into verdicts.
#[derive(Debug)]
pub(super) struct Judge {
    threshold: u32,
    success_threshold: u32,
    grace: Duration,
    interval: Duration,
    longest_starting_pause: Duration,
    standing: Standing,
    /// Whether this verdict is told already: one that an earlier agent gave is not.
    told: bool,
    failures: u32,
    successes: u32,
    /// Until the next question.
    pub(super) pause: Duration,
}

impl Judge {
    pub(super) fn new(check: &HealthCheck, before: Before) -> Self {
        let interval = Duration::from_secs(check.interval_seconds.into());
        let is_command = matches!(check.probe, Probe::Command(_));
        let longest = if is_command {
            interval
        } else {
            LONGEST_STARTING_PAUSE.min(interval)
        };
        let first = if is_command {
            FIRST_PAUSE_OF_COMMANDS
        } else {
            FIRST_PAUSE
        };
        Self {
            threshold: check.threshold,
            success_threshold: check.success_threshold,
            grace: Duration::from_secs(check.start_grace_seconds.into()),
            interval,
            longest_starting_pause: longest,
            standing: match before {
                Before::Started => Standing::Starting,
                Before::Fit => Standing::Fit,
            },
            told: before == Before::Started,
            failures: 0,
            successes: 0,
            pause: first,
        }
    }

    /// Takes one answer, given when the container had been asked for `age`; tells the new verdict if there is one.
    pub(super) fn take(&mut self, fit: bool, age: Duration) -> Option<Turned> {
        self.pause = if fit || self.standing != Standing::Starting {
            self.interval
        } else {
            (self.pause * 3 / 2).min(self.longest_starting_pause)
        };
        if fit { self.succeeded() } else { self.failed(age) }
    }

    fn succeeded(&mut self) -> Option<Turned> {
        self.failures = 0;
        self.successes = self.successes.saturating_add(1);
        // Whoever has answered once has started.
        self.grace = Duration::ZERO;
        let is_news = self.standing != Standing::Fit || !self.told;
        if !is_news || self.successes < self.success_threshold {
            return None;
        }
        (self.standing, self.told) = (Standing::Fit, true);
        Some(Turned::Fit)
    }

    fn failed(&mut self, age: Duration) -> Option<Turned> {
        self.successes = 0;
        if self.standing == Standing::Starting && age < self.grace {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let (limit, standing, turned) = match self.standing {
            Standing::Starting => (self.threshold, Standing::Failed, Turned::Failed),
            Standing::Fit => (self.threshold, Standing::Unfit, Turned::Unfit),
            Standing::Unfit => (self.threshold.saturating_mul(2), Standing::Failed, Turned::Failed),
            Standing::Failed => return None,
        };
        if self.failures < limit {
            return None;
        }
        (self.standing, self.told) = (standing, true);
        Some(turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(threshold: u32, success_threshold: u32, start_grace_seconds: u32) -> HealthCheck {
        HealthCheck {
            threshold,
            success_threshold,
            start_grace_seconds,
            ..HealthCheck::plain(Probe::Tcp)
        }
    }

    /// One answer a second, `+` and `-`; a letter for each verdict: Fit, Unfit, Restart.
    fn told(judge: &mut Judge, answers: &str) -> String {
        let verdict = |(n, answer)| match judge.take(answer == '+', Duration::from_secs(n)) {
            None => '.',
            Some(Turned::Fit) => 'F',
            Some(Turned::Unfit) => 'U',
            Some(Turned::Failed) => 'R',
        };
        (0..).zip(answers.chars()).map(verdict).collect()
    }

    #[test]
    fn a_container_is_fit_with_its_first_answer_unfit_after_three_failures_and_restarted_after_six() {
        let mut judge = Judge::new(&check(3, 1, 60), Before::Started);
        assert_eq!(told(&mut judge, "--++--+----+"), "..F......U.F");
        assert_eq!(told(&mut judge, "------"), "..U..R");
        assert_eq!(told(&mut judge, "---+"), "...F", "where nobody restarts it");
    }

    #[test]
    fn failures_do_not_count_during_the_grace_and_a_success_ends_it() {
        let mut judge = Judge::new(&check(2, 1, 4), Before::Started);
        assert_eq!(told(&mut judge, "-------"), ".....R.");
        let mut judge = Judge::new(&check(2, 2, 60), Before::Started);
        assert_eq!(told(&mut judge, "---+--"), ".....R");
        let mut judge = Judge::new(&check(1, 1, 0), Before::Started);
        assert_eq!(told(&mut judge, "-"), "R");
    }

    #[test]
    fn it_takes_as_many_successes_as_are_asked_for() {
        let mut judge = Judge::new(&check(1, 3, 60), Before::Started);
        assert_eq!(told(&mut judge, "-++-+++-++-"), "...R..FU...");
    }

    #[test]
    fn a_container_that_was_fit_before_has_no_grace_and_is_told_of_once() {
        let mut judge = Judge::new(&check(3, 1, 60), Before::Fit);
        assert_eq!(told(&mut judge, "+++"), "F..");
        let mut judge = Judge::new(&check(3, 1, 60), Before::Fit);
        assert_eq!(told(&mut judge, "------"), "..U..R");
    }

    #[test]
    fn pauses_grow_while_it_starts_and_are_its_own_afterwards() {
        let mut judge = Judge::new(&check(3, 1, 60), Before::Started);
        let mut pause = |fit| {
            judge.take(fit, Duration::ZERO);
            judge.pause.as_millis()
        };
        let pauses: Vec<_> = (0..12).map(|_| pause(false)).collect();
        assert_eq!((pauses[0], pauses[11]), (30, 500));
        assert_eq!((pause(true), pause(false)), (1000, 1000));
    }
}
