//! How much of its hourly allowance an account has used: part of the state, so that it is exact for the whole cluster
//! and outlives a leader.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Timestamp};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QuotaKind {
    /// Creating, updating and deleting.
    Operations,
    /// Reading the value of a secret.
    SecretReads,
}

/// Whose, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuotaId {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub kind: QuotaKind,
}

/// What was used within the last hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Whose, and of what.
    pub id: QuotaId,
    /// Seconds since the Unix epoch, each with how often it was used then; oldest first.
    pub used: Vec<(u64, u32)>,
}

/// A use is forgotten after this many seconds.
const WINDOW: u64 = 3600;
const MICROS: u64 = 1_000_000;

impl Quota {
    /// Nothing used yet.
    #[must_use]
    pub fn unused(id: QuotaId) -> Self {
        Self { id, used: Vec::new() }
    }

    /// How many seconds, at least 1, until one more use fits under `limit`; `None` if it fits now.
    #[must_use]
    pub fn wait(&self, limit: u32, now: Timestamp) -> Option<u32> {
        let now = now.0 / MICROS;
        let live = || self.live(now);
        let used: u64 = live().map(|(_, count)| u64::from(*count)).sum();
        // So many must be forgotten first.
        let mut surplus = (used + 1).checked_sub(u64::from(limit)).filter(|it| *it > 0)?;
        for (second, count) in live() {
            surplus = surplus.saturating_sub(u64::from(*count));
            if surplus == 0 {
                return Some(u32::try_from(second + WINDOW - now).unwrap_or(u32::MAX).max(1));
            }
        }
        // Nothing is allowed at all.
        Some(u32::try_from(WINDOW).unwrap_or(u32::MAX))
    }

    /// With one more use.
    #[must_use]
    pub fn charged(&self, now: Timestamp) -> Self {
        let now = now.0 / MICROS;
        let mut used: Vec<_> = self.live(now).copied().collect();
        match used.last_mut() {
            Some((second, count)) if *second == now => *count += 1,
            _ => used.push((now, 1)),
        }
        Self { id: self.id, used }
    }

    fn live(&self, now: u64) -> impl Iterator<Item = &(u64, u32)> {
        self.used.iter().filter(move |(second, _)| second + WINDOW > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp(second * MICROS + 500)
    }

    fn quota() -> Quota {
        Quota::unused(QuotaId {
            account: AccountId(uuid::Uuid::nil()),
            kind: QuotaKind::Operations,
        })
    }

    #[test]
    fn as_many_as_allowed_within_any_hour() {
        let mut it = quota();
        for n in 0..3 {
            assert_eq!(it.wait(3, at(100 + n)), None);
            it = it.charged(at(100 + n));
        }
        assert_eq!(it.wait(3, at(102)), Some(3598));
        assert_eq!(it.wait(3, at(3699)), Some(1));
        assert_eq!(it.wait(3, at(3700)), None);
        it = it.charged(at(3700));
        assert_eq!(it.wait(3, at(3700)), Some(1));
        assert_eq!(it.used.len(), 3, "what is an hour old is forgotten");
    }

    #[test]
    fn a_burst_waits_the_whole_hour() {
        let mut it = quota();
        for _ in 0..100 {
            it = it.charged(at(5000));
        }
        assert_eq!(it.used, [(5000, 100)]);
        assert_eq!(it.wait(100, at(5000)), Some(3600));
        assert_eq!(it.wait(100, at(8599)), Some(1));
        assert_eq!(it.wait(100, at(8600)), None);
    }

    #[test]
    fn a_limit_that_was_lowered_waits_for_all_that_is_too_much() {
        let it = quota().charged(at(0)).charged(at(10)).charged(at(20));
        assert_eq!(it.wait(1, at(20)), Some(3600));
        assert_eq!(it.wait(2, at(20)), Some(3590));
        assert_eq!(it.wait(0, at(20)), Some(3600));
    }
}
