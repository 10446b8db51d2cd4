//! What a scenario came to.

use std::fmt;
use std::time::Duration;

use crate::load::{Failure, Method, Report, Trouble};

/// A stretch of time in which nobody could count on the proxy of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// Which.
    pub host: u8,
    /// From when its daemon was told to stop, or killed, by the load's clock.
    pub from: Duration,
    /// Until its proxy took connections again; for good if it never did.
    pub until: Duration,
}

impl Away {
    /// Whether this request was asked of that proxy at that time. One that was under way when it began counts too.
    pub fn covers(&self, failure: &Failure) -> bool {
        failure.host == self.host && failure.at + failure.took >= self.from && failure.at <= self.until
    }
}

/// What was done took so long, and these were the requests meanwhile.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub what: String,
    /// Until all was as wanted again.
    pub took: Duration,
    /// All requests, from a second before to a second after.
    pub report: Report,
    /// Which proxies were away, and when.
    pub away: Vec<Away>,
}

impl Outcome {
    /// Requests that failed although the proxy that was asked was there.
    pub fn failures(&self) -> Vec<&Failure> {
        let covered = |it: &Failure| self.away.iter().any(|away| away.covers(it));
        self.report.failures.iter().filter(|it| !covered(it)).collect()
    }

    /// Of those, the ones that had to be lost: not to be sent twice, and in flight on a host that was killed.
    pub fn avoidable(&self) -> Vec<&Failure> {
        let killed = |it: &Failure| {
            self.away
                .iter()
                .any(|away| it.at <= away.from + NOTICED && it.at + it.took >= away.from)
        };
        self.failures()
            .into_iter()
            .filter(|it| it.method == Method::Get || !killed(it))
            .collect()
    }

    /// Requests that failed because the proxy that was asked was away, other than by a refused connection.
    pub fn cut(&self) -> Vec<&Failure> {
        let covered = |it: &Failure| self.away.iter().any(|away| away.covers(it));
        let all = self.report.failures.iter().filter(|it| covered(it));
        all.filter(|it| it.trouble != Trouble::Refused).collect()
    }
}

/// A request may be handed to a host that is gone until somebody has noticed.
const NOTICED: Duration = Duration::from_millis(300);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failures().len();
        write!(
            f,
            "{}: {:.2} s, {failed} failed; {}",
            self.what,
            self.took.as_secs_f64(),
            self.report
        )?;
        for away in &self.away {
            let Away { host, from, until } = away;
            write!(f, "\n  host {host} was away from {from:.3?} to {until:.3?}")?;
        }
        Ok(())
    }
}
