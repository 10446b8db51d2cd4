//! Which faults strike when: wholly decided by a seed.
//!
//! A schedule names its victims by role where that is the point (`the leader`), and by number where it is not; who leads
//! is found out when the time comes. Everything else, times and lengths included, is in the schedule.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};

use crate::fault::{Fault, Host, Kind, usual_length};

/// Before the first fault, and after the last one has been healed.
const CALM: Duration = Duration::from_secs(3);

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// Whoever leads then.
    Leader,
    /// This one.
    Number(Host),
}

/// A fault to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// After the start of the run.
    pub at: Duration,
    /// How long it stands.
    pub lasts: Duration,
    /// Of what kind.
    pub kind: Kind,
    /// Whom it hits.
    pub victim: Victim,
    /// Whatever else the kind leaves open: whom a node no longer hears, how much is lost.
    pub detail: u32,
}

/// All strikes of a run of `length` on hosts 1 to `hosts`, in order. One main fault stands at a time; now and then a fault
/// of the network or of a clock stands beside it.
pub fn draw(seed: u64, length: Duration, kinds: &[Kind], hosts: Host) -> Vec<Strike> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut strikes = Vec::new();
    let mut at = CALM;
    // Every kind gets its turn before any gets a second one.
    let mut left: Vec<Kind> = Vec::new();
    while !kinds.is_empty() {
        if left.is_empty() {
            left = kinds.to_vec();
            left.shuffle(&mut random);
        }
        let kind = left.pop().unwrap_or(Kind::Kill);
        let (short, long) = usual_length(kind);
        let lasts = random.random_range(short..=long);
        if at + lasts + CALM > length {
            break;
        }
        strikes.push(strike(&mut random, at, lasts, kind, hosts));
        let beside: Vec<Kind> = kinds
            .iter()
            .copied()
            .filter(|other| goes_beside(*other, kind))
            .collect();
        if random.random_bool(0.25)
            && let Some(other) = beside.choose(&mut random)
        {
            strikes.push(strike(&mut random, at, lasts, *other, hosts));
        }
        at += lasts + Duration::from_millis(random.random_range(300..4_000));
    }
    strikes
}

fn goes_beside(other: Kind, main: Kind) -> bool {
    other != main && matches!(other, Kind::Partition | Kind::OneWay | Kind::Loss | Kind::Clock)
}

fn strike(random: &mut StdRng, at: Duration, lasts: Duration, kind: Kind, hosts: Host) -> Strike {
    let victim = if random.random_bool(0.5) {
        Victim::Leader
    } else {
        Victim::Number(random.random_range(1..=hosts))
    };
    Strike {
        at,
        lasts,
        kind,
        victim,
        detail: random.random(),
    }
}

impl Strike {
    /// The fault itself, now that it is known who leads (a node by number if nobody does).
    pub fn fault(&self, leader: Option<Host>, hosts: Host) -> Fault {
        let host = match self.victim {
            Victim::Number(host) => host,
            Victim::Leader => leader.unwrap_or(1),
        };
        let detail = self.detail;
        let choice = |of: u32| detail / 7 % of;
        // Another host: any step short of a whole turn.
        let step = u8::try_from(choice(u32::from(hosts).saturating_sub(1).max(1))).unwrap_or(0) + 1;
        let other = (host - 1 + step) % hosts + 1;
        match self.kind {
            Kind::Kill => Fault::Kill { host },
            Kind::Restart => Fault::Restart { host },
            Kind::Pause => Fault::Pause { host },
            Kind::Partition if detail.is_multiple_of(2) => Fault::PartitionPair { one: host, other },
            Kind::Partition => Fault::PartitionHalf { side: vec![host] },
            Kind::OneWay if detail.is_multiple_of(2) => Fault::OneWayCut { from: host, to: other },
            Kind::OneWay => Fault::OneWayCut { from: other, to: host },
            Kind::Loss => Fault::Loss {
                host,
                percent: [5, 20, 50][choice(3) as usize],
            },
            Kind::Slow => Fault::Slow {
                host,
                kilobits: [256, 1_000, 4_000][choice(3) as usize],
            },
            Kind::Power => Fault::PowerCut { host },
            Kind::Disk => Fault::DiskFull { host },
            Kind::Clock => Fault::ClockJump {
                host,
                seconds: [-3600, -5, 5, 60, 86_400][choice(5) as usize],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_its_schedule_and_another_seed_does_not() {
        let length = Duration::from_secs(120);
        let one = draw(7, length, &Kind::ALL, 3);
        assert_eq!(one, draw(7, length, &Kind::ALL, 3));
        assert_ne!(one, draw(8, length, &Kind::ALL, 3));
        assert!(one.len() > 10);
        for strike in &one {
            assert!(strike.at >= CALM && strike.at + strike.lasts + CALM <= length);
        }
        assert_eq!(draw(7, length, &[], 3), []);
    }

    #[test]
    fn hosts_are_those_there_are_and_nobody_is_cut_off_from_itself() {
        for strike in draw(1, Duration::from_secs(2_000), &Kind::ALL, 3) {
            for leader in [None, Some(1), Some(2), Some(3)] {
                match strike.fault(leader, 3) {
                    Fault::PartitionPair { one, other } => assert!(one != other && (1..=3).contains(&other)),
                    Fault::OneWayCut { from, to } => assert!(from != to && (1..=3).contains(&from.min(to))),
                    _ => {}
                }
            }
        }
    }
}
