//! What came of a load.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Trouble;

/// How something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// May be sent twice.
    Get,
    /// May not.
    Post,
}

/// A request that was answered well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Good {
    /// Whose proxy was asked.
    pub host: u8,
    /// When, since the load began.
    pub at: Duration,
    /// How long the answer took.
    pub took: Duration,
}

/// A request that was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose proxy was asked.
    pub host: u8,
    /// When, since the load began.
    pub at: Duration,
    /// How long it was tried.
    pub took: Duration,
    /// Which request it was.
    pub number: u32,
    /// How it was asked.
    pub method: Method,
    /// Whether its connection had been used before.
    pub reused: bool,
    /// What went wrong.
    pub trouble: Trouble,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host, number, method, ..
        } = self;
        let connection = if self.reused { "kept" } else { "new" };
        let (at, took) = (self.at.as_secs_f64(), self.took.as_millis());
        let trouble = &self.trouble;
        write!(
            f,
            "{at:.3} s: request {number}, {method:?} through host {host} on a {connection} connection, after {took} ms: {trouble}"
        )
    }
}

/// All requests of a load.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Those that were answered well, in the order of their answers.
    pub good: Vec<Good>,
    /// All others.
    pub failures: Vec<Failure>,
    /// How long it went on.
    pub lasted: Duration,
}

impl Report {
    pub(super) fn note(&mut self, done: Option<Result<Good, Failure>>) {
        match done {
            Some(Ok(good)) => self.good.push(good),
            Some(Err(failure)) => self.failures.push(failure),
            None => {}
        }
    }

    /// How many were sent.
    pub fn sent(&self) -> usize {
        self.good.len() + self.failures.len()
    }

    /// Puts another after this one.
    pub fn extend(&mut self, other: Self) {
        self.good.extend(other.good);
        self.failures.extend(other.failures);
        self.lasted += other.lasted;
    }

    /// How long the answer took that took longest, of those asked for by these hosts' proxies.
    pub fn slowest(&self, through: impl Fn(u8) -> bool) -> Duration {
        let took = self.good.iter().filter(|it| through(it.host)).map(|it| it.took);
        took.max().unwrap_or_default()
    }

    /// So many of 100 good answers were at least that quick.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut all: Vec<_> = self.good.iter().map(|it| it.took).collect();
        all.sort_unstable();
        let place = (all.len() * percent).div_ceil(100).saturating_sub(1);
        all.get(place).copied().unwrap_or_default()
    }

    /// The longest time between two good answers of the proxy on `host`.
    pub fn longest_gap(&self, host: u8) -> Duration {
        let mut ends: Vec<_> = self
            .good
            .iter()
            .filter(|it| it.host == host)
            .map(|it| it.at + it.took)
            .collect();
        ends.sort_unstable();
        let gaps = ends.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or(self.lasted)
    }
}

impl fmt::Display for Report {
    /// One line, and one more for each of the first failures, with the number of all of each kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |it: Duration| it.as_secs_f64() * 1000.0;
        write!(
            f,
            "{} of {} requests failed in {:.1} s; p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
            self.failures.len(),
            self.sent(),
            self.lasted.as_secs_f64(),
            ms(self.percentile(50)),
            ms(self.percentile(99)),
            ms(self.slowest(|_| true)),
        )?;
        let mut kinds: BTreeMap<(u8, &Trouble), usize> = BTreeMap::new();
        for it in &self.failures {
            *kinds.entry((it.host, &it.trouble)).or_default() += 1;
        }
        for ((host, trouble), count) in kinds {
            write!(f, "\n  {count} through host {host}: {trouble}")?;
        }
        for failure in self.failures.iter().take(20) {
            write!(f, "\n  {failure}")?;
        }
        Ok(())
    }
}
