//! Processes named so that a recycled id is never mistaken for them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process of this machine: its id together with when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pid: i32,
    /// Clock ticks after boot, as in `/proc/PID/stat`.
    started: u64,
}

impl ProcessId {
    /// The process that has id `pid` now; `None` if there is none.
    pub fn of(pid: i32) -> Option<Self> {
        let (started, _) = stat(pid)?;
        Some(Self { pid, started })
    }

    /// This very process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id().cast_signed())
    }

    /// The plain number, as other tools take it.
    pub fn number(self) -> i32 {
        self.pid
    }

    /// Whether it still runs (a zombie does not).
    pub fn alive(self) -> bool {
        stat(self.pid).is_some_and(|(started, state)| started == self.started && state != 'Z')
    }

    /// Sends `signal` unless the process is gone already.
    pub fn signal(self, signal: Signal) {
        if self.alive() {
            // Gone between the two calls is as good as gone before.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Waits until it has ended; false if it still runs after `deadline`.
    pub fn wait_gone(self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        // Only a parent is told of an exit, and this is often not the parent: hence the polling.
        while self.alive() {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(Duration::from_millis(3));
        }
        true
    }

    /// Resident memory in bytes; `None` once it is gone.
    pub fn resident_bytes(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// Its parent, if it still runs.
    pub fn parent(self) -> Option<Self> {
        if !self.alive() {
            return None;
        }
        Self::of(fields(self.pid)?.get(1)?.parse().ok()?)
    }

    /// Its first child, if it has one.
    pub fn first_child(self) -> Option<Self> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid)).ok()?;
        Self::of(children.split_whitespace().next()?.parse().ok()?)
    }
}

/// Start time and state letter of a process.
fn stat(pid: i32) -> Option<(u64, char)> {
    let fields = fields(pid)?;
    Some((fields.get(19)?.parse().ok()?, fields.first()?.chars().next()?))
}

/// What follows the name in `/proc/PID/stat`.
fn fields(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may itself hold spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_alive_until_it_is_killed_and_its_id_alone_proves_nothing() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let id = ProcessId::of(child.id().cast_signed()).unwrap();
        assert!(id.alive() && id.resident_bytes().is_some());
        assert_eq!(id.parent(), ProcessId::own());
        let recycled = ProcessId {
            started: id.started + 1,
            ..id
        };
        recycled.signal(Signal::SIGKILL);
        assert!(!recycled.alive() && id.alive());
        id.signal(Signal::SIGKILL);
        assert!(id.wait_gone(Duration::from_secs(10)));
        child.wait().unwrap();
        assert_eq!(ProcessId::of(id.number()).filter(|now| *now == id), None);
    }

    #[test]
    fn this_process_has_an_identity() {
        assert!(ProcessId::own().unwrap().alive());
    }
}
