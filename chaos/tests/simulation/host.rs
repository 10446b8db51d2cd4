//! One host: a process with a runtime of its own, whose time is given to it piece by piece.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{ByteCount, Capacity, Millicores, NodeDraft};
use raft::{Cluster, Config, Ground, READ_LEASE_MAX, Start, StartError, Timing};
use rand::Rng as _;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::border::{self, Clocks};
use crate::bug::Bug;
use crate::disk::{LossyDisk, SimDisks};
use crate::net::{Host, Micros, Net};
use crate::stream::{SimWires, address};

/// A piece of time.
pub const TICK: Micros = 1_000;
/// The pace of a clock that is right.
const EVEN: u64 = 100;
/// Some clocks run twice as fast as others, which is further apart than any real ones are.
const PACES: std::ops::Range<u64> = 70..141;
/// What the clocks say when a run begins, in nanoseconds.
const MONOTONIC: u64 = 1_000_000_000_000;
const WALL: u64 = 1_790_000_000_000_000_000;

/// What came of the start of a node.
type Started = Arc<Mutex<Option<Result<Cluster, StartError>>>>;

pub struct SimHost {
    pub host: Host,
    net: Net,
    folder: TempDir,
    disk: LossyDisk,
    runtime: Option<Runtime>,
    started: Started,
    /// How many of its clock's ticks there are to a hundred real ones.
    pace: u64,
    /// Hundredths of a tick that are not yet given to it.
    due: u64,
    /// How far its clocks are ahead because they are fast, or behind because they are slow.
    drift: i64,
    /// How far its monotonic clock is behind: it stood still while the host was suspended.
    slept: Micros,
    /// A suspended host finds all its clocks where they were, as a virtual machine may.
    is_virtual: bool,
    /// How far its wall clock is ahead.
    pub ahead: i64,
    /// It gets no time.
    pub is_paused: bool,
    /// How much time it did not get, that its clocks went on for.
    missed: Micros,
}

impl SimHost {
    pub fn new(host: Host, net: &Net, bug: Bug) -> Self {
        Self {
            host,
            net: net.clone(),
            folder: tempfile::tempdir().expect("a folder for the simulation"),
            disk: LossyDisk::new(net, bug),
            runtime: None,
            started: Started::default(),
            pace: net.random(|it| it.random_range(PACES)),
            due: 0,
            drift: 0,
            slept: 0,
            is_virtual: bug == Bug::SleepUnnoticed,
            ahead: 0,
            is_paused: false,
            missed: 0,
        }
    }

    /// The clocks of a host on which nothing was done.
    pub fn usual_clocks(now: Micros) -> Clocks {
        Clocks {
            monotonic: MONOTONIC + now * 1_000,
            boottime: MONOTONIC + now * 1_000,
            wall: WALL + now * 1_000,
        }
    }

    /// It is this host's turn: its clocks are as they were when the last piece of time ended.
    fn turn(&self) {
        let usual = Self::usual_clocks(self.net.now().saturating_sub(TICK));
        let since_boot = (usual.monotonic - self.missed * 1_000).saturating_add_signed(self.drift * 1_000);
        let monotonic = since_boot - self.slept * 1_000;
        border::set(Clocks {
            monotonic,
            boottime: if self.is_virtual { monotonic } else { since_boot },
            wall: usual.wall.saturating_add_signed(self.ahead * 1_000),
        });
    }

    /// Its clock neither gains nor loses.
    pub fn set_right(&mut self) {
        self.pace = EVEN;
    }

    pub fn runs(&self) -> bool {
        self.runtime.is_some()
    }

    /// Starts its process.
    pub fn start(&mut self, start: Start) {
        self.turn();
        self.net.plug(self.host);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime of one thread");
        let wires = SimWires {
            net: self.net.clone(),
            host: self.host,
        };
        let ground = Ground::new(Arc::new(wires), Arc::new(SimDisks(self.disk.clone())));
        let config = self.config(start);
        let started = Started::default();
        self.started = started.clone();
        runtime.spawn(async move {
            let result = Cluster::start_on(ground, config).await;
            *started.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        self.runtime = Some(runtime);
    }

    fn config(&self, start: Start) -> Config {
        let peer = address(self.host);
        let draft = NodeDraft {
            name: format!("node-{}", self.host),
            peer_addr: peer,
            api_addr: peer,
            http_addr: peer,
            runs_agent: true,
            version: model::leveled_version("0.1.0"),
            boot: Uuid::now_v7(),
            capacity: Capacity {
                cpu: Millicores(2_000),
                memory: ByteCount(1 << 30),
                replicas: 100,
            },
        };
        Config {
            data_dir: self.data_dir(),
            listen: peer,
            draft,
            start,
            timing: Timing {
                snapshot_after: 60,
                keep_after_snapshot: 10,
                voter_grace: Duration::from_secs(4),
                // Both ways of reading, side by side.
                read_lease: if self.host.is_multiple_of(2) {
                    Duration::ZERO
                } else {
                    READ_LEASE_MAX
                },
                ..Timing::default()
            },
            services: None,
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its process is gone, at once. With `power` also what it had not synced is, and nobody is told.
    pub fn crash(&mut self, power: bool) {
        self.turn();
        self.net.unplug(self.host, power);
        self.started = Started::default();
        drop(self.runtime.take());
        self.disk.crash(power);
        (self.is_paused, self.missed) = (false, 0);
    }

    /// The node, once it has started.
    pub fn node(&self) -> Option<Cluster> {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.as_ref()?.as_ref().ok().cloned()
    }

    /// Why it did not start.
    pub fn failure(&self) -> Option<String> {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let error = started.as_ref()?.as_ref().err()?;
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source());
        Some(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }

    /// Runs something in its process.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Lets it go on after a pause. If it was `suspended`, its monotonic clock stood still meanwhile.
    pub fn resume(&mut self, suspended: bool) {
        self.is_paused = false;
        let missed = std::mem::take(&mut self.missed);
        if suspended {
            self.slept += missed;
            return;
        }
        self.turn();
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async { tokio::time::advance(Duration::from_micros(missed)).await });
        }
    }

    /// Gives it a piece of time, which ends now: by its own clock none, one or two ticks.
    pub fn tick(&mut self) {
        if self.is_paused {
            self.missed += TICK;
            return;
        }
        let Some(runtime) = &self.runtime else { return };
        self.due += self.pace;
        self.drift -= TICK.cast_signed();
        while self.due >= EVEN {
            self.due -= EVEN;
            self.drift += TICK.cast_signed();
            self.turn();
            runtime.block_on(async { tokio::time::sleep(Duration::from_micros(TICK)).await });
        }
    }
}
