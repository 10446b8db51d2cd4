//! What can go wrong with a cluster, as data.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The number of a host, from 1.
pub type Host = u8;

/// One fault on named hosts. [`crate::Harness::inject`] brings it about and [`crate::Harness::heal`] ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Fault {
    /// SIGKILL to the daemon; healed by a start on the folder it left.
    Kill {
        /// Whose.
        host: Host,
    },
    /// SIGTERM to the daemon, which may hand over first; healed by a start.
    Restart {
        /// Whose.
        host: Host,
    },
    /// SIGSTOP to the daemon: connections stay open and nothing answers; healed by SIGCONT.
    Pause {
        /// Whose.
        host: Host,
    },
    /// Two nodes do not hear each other. Clients reach both.
    PartitionPair {
        /// One.
        one: Host,
        /// The other.
        other: Host,
    },
    /// The nodes named do not hear the rest, nor the rest them. Clients reach all.
    PartitionHalf {
        /// One side.
        side: Vec<Host>,
    },
    /// What one node sends does not reach another; the way back is open.
    OneWayCut {
        /// Who is not heard.
        from: Host,
        /// By whom.
        to: Host,
    },
    /// The node loses some of the packets from other nodes.
    Loss {
        /// Whose.
        host: Host,
        /// Of 100 packets.
        percent: u8,
    },
    /// All that the host sends goes through a slow line, where it queues.
    Slow {
        /// Whose.
        host: Host,
        /// Of the line.
        kilobits: u32,
    },
    /// The host dies and loses what was not synced to its disk; healed by a boot and a start.
    PowerCut {
        /// Which.
        host: Host,
    },
    /// Nothing fits on the disk of the data folder any more.
    DiskFull {
        /// Whose.
        host: Host,
    },
    /// The node's wall clock jumps, and jumps back when healed. Its monotonic clock does not.
    ClockJump {
        /// Whose.
        host: Host,
        /// How far, to the future or to the past.
        seconds: i64,
    },
}

/// A kind of fault, as `--faults` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// [`Fault::Kill`]
    Kill,
    /// [`Fault::Restart`]
    Restart,
    /// [`Fault::Pause`]
    Pause,
    /// [`Fault::PartitionPair`] or [`Fault::PartitionHalf`]
    Partition,
    /// [`Fault::OneWayCut`]
    OneWay,
    /// [`Fault::Loss`]
    Loss,
    /// [`Fault::Slow`]
    Slow,
    /// [`Fault::PowerCut`]
    Power,
    /// [`Fault::DiskFull`]
    Disk,
    /// [`Fault::ClockJump`]
    Clock,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Kill,
        Self::Restart,
        Self::Pause,
        Self::Partition,
        Self::OneWay,
        Self::Loss,
        Self::Slow,
        Self::Power,
        Self::Disk,
        Self::Clock,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::OneWay => "one-way",
            Self::Loss => "loss",
            Self::Slow => "slow",
            Self::Power => "power",
            Self::Disk => "disk",
            Self::Clock => "clock",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A name that is no kind of fault.
#[derive(Debug, Error)]
#[error("no fault is called `{0}`; there are: {all}", all = Kind::ALL.map(Kind::word).join(", "))]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.word() == word);
        found.ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { host } => write!(f, "kill {host}"),
            Self::Restart { host } => write!(f, "restart {host}"),
            Self::Pause { host } => write!(f, "pause {host}"),
            Self::PartitionPair { one, other } => write!(f, "partition {one} | {other}"),
            Self::PartitionHalf { side } => write!(f, "partition {side:?} | rest"),
            Self::OneWayCut { from, to } => write!(f, "cut {from} -> {to}"),
            Self::Loss { host, percent } => write!(f, "loss {percent}% at {host}"),
            Self::Slow { host, kilobits } => write!(f, "slow {host}, {kilobits} kbit/s"),
            Self::PowerCut { host } => write!(f, "power cut {host}"),
            Self::DiskFull { host } => write!(f, "disk full {host}"),
            Self::ClockJump { host, seconds } => write!(f, "clock {seconds:+} s at {host}"),
        }
    }
}

/// How long the schedule lets a fault stand, in milliseconds: shortest and longest.
pub(crate) fn usual_length(kind: Kind) -> (Duration, Duration) {
    let (short, long) = match kind {
        Kind::Kill | Kind::Restart | Kind::Power => (100, 3_000),
        Kind::Pause => (300, 6_000),
        Kind::Partition | Kind::OneWay | Kind::Loss | Kind::Slow => (1_000, 7_000),
        Kind::Disk | Kind::Clock => (1_000, 5_000),
    };
    (Duration::from_millis(short), Duration::from_millis(long))
}
