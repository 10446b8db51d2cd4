//! Hosts: N machines on this machine.
//!
//! Each host has its own processes, mounts, host name, network, cgroup root, `/run` and `/sys`, and one address on a
//! network that all hosts of a lab share. Losing its power kills everything on it at once and cuts its cable first, so
//! that its peers see silence and no closed connections. The disk of a host is a folder, and survives.
//!
//! Every lab has a number of its own, from which its names and its subnet `10.231.NUMBER.0/24` are derived: two labs, or
//! a lab and what a killed run left behind, never meet. Ordinary programs of this machine reach a host at its address.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use thiserror::Error;

use crate::command::{self, CommandError};
use crate::paths;

mod boot;
mod capture;
mod cgroup;
pub mod init;
mod interrupt;
mod network;
mod process;
mod record;
mod socket;

pub use capture::Capture;
pub use interrupt::clean_up_when_interrupted;
pub use network::Network;
pub use process::{HostProcess, Program};
pub use record::Record;

/// How long a host's processes may take to be gone after a kill, and a host to come up.
const HOST_DEADLINE: Duration = Duration::from_secs(20);

/// Why the lab could not do what was asked.
#[derive(Debug, Error)]
pub enum LabError {
    /// Namespaces need it.
    #[error("the lab needs root, for namespaces and cgroups: run it as root (sudo)")]
    NotRoot,
    /// All numbers are taken.
    #[error("no free subnet 10.231.N.0/24 is left: stop old labs with `chaos lab down --all`")]
    NoFreeNumber,
    /// The folder for its state holds something else.
    #[error("{} is not empty and no lab's folder: give another one", .0.display())]
    FolderTaken(PathBuf),
    /// There is no such host, or it is off.
    #[error("host {0} is not running: boot it first")]
    HostOff(u8),
    /// No record of that lab.
    #[error("there is no lab {0}: `chaos lab list` shows those that are up")]
    NoSuchLab(u8),
    /// The first process of a host ended or said nothing.
    #[error("host {host} did not come up: {reason}")]
    NotBooted {
        /// Its number.
        host: u8,
        /// The end of its log.
        reason: String,
    },
    /// Something outlived its host.
    #[error("process {0} did not end after SIGKILL")]
    Unkillable(i32),
    /// A file could not be read or written.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A tool failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The harness's program is missing.
    #[error(transparent)]
    NotBuilt(#[from] paths::NotBuilt),
}

impl LabError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// N hosts on one network. Dropping it takes everything down, unless [`Lab::keep`] was called.
#[derive(Debug)]
pub struct Lab {
    record: Record,
    keep: bool,
}

impl Lab {
    /// Clears what killed runs left behind, then starts `hosts` hosts, numbered from 1, with their disks and logs
    /// below `state` (a new folder in the system's temporary one if none is given).
    pub fn up(hosts: u8, state: Option<&Path>) -> Result<Self, LabError> {
        if !geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        let mut lab = Self {
            record: Record::claim(state)?,
            keep: false,
        };
        cgroup::prepare();
        lab.network().create()?;
        for host in 1..=hosts {
            lab.boot(host)?;
        }
        Ok(lab)
    }

    /// Records what goes over the lab's network from now on, into a file in the pcap format. `filter` is one of tcpdump's.
    pub fn capture(&self, file: &Path, filter: &str) -> Result<Capture, LabError> {
        Capture::start(self.network(), file, filter)
    }

    /// A lab that an earlier process left running with [`Lab::keep`]. It stays up when this value is dropped.
    pub fn attach(number: u8) -> Result<Self, LabError> {
        let record = Record::load(number).ok_or(LabError::NoSuchLab(number))?;
        Ok(Self { record, keep: true })
    }

    /// All labs that are up on this machine.
    pub fn list() -> Vec<Record> {
        Record::all()
    }

    /// Leaves the lab running after this process.
    pub fn keep(&mut self) -> Result<(), LabError> {
        self.keep = true;
        self.record.owner = None;
        self.record.save()
    }

    /// This lab's number, unique on this machine while it is up.
    pub fn number(&self) -> u8 {
        self.record.number
    }

    /// Its addresses and names.
    pub fn network(&self) -> Network {
        Network::of(self.record.number)
    }

    /// The address of a host.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        self.network().host(host)
    }

    /// The lab's own folder.
    pub fn state(&self) -> &Path {
        &self.record.state
    }

    /// The folder that is a host's disk.
    pub fn disk(&self, host: u8) -> PathBuf {
        self.record.state.join(format!("h{host}"))
    }

    /// The hosts that are running.
    pub fn running(&self) -> Vec<u8> {
        self.record.hosts.keys().copied().collect()
    }

    /// Runs a program on a host to its end; its output whatever its exit code.
    pub fn exec<S: AsRef<OsStr>>(&self, host: u8, words: &[S], deadline: Duration) -> Result<Output, LabError> {
        let mut nsenter = self.enter(host)?;
        nsenter.args(words);
        Ok(command::output(&mut nsenter, deadline)?)
    }

    /// Starts a program on a host, in the host's cgroup, and leaves it running.
    pub fn spawn(&self, host: u8, program: &Program) -> Result<HostProcess, LabError> {
        process::spawn(self, host, program)
    }

    /// Opens a socket on a host that stays open whatever happens to the programs there, as long as it is held here.
    pub fn listen(&self, host: u8, port: u16) -> Result<TcpListener, LabError> {
        let processes = self.record.hosts.get(&host).ok_or(LabError::HostOff(host))?;
        socket::listen(processes.init, SocketAddr::from((self.address(host), port)))
    }

    /// Power loss: the host's cable goes silent, then all of its processes die at once. Its disk stays.
    pub fn crash(&mut self, host: u8) -> Result<(), LabError> {
        let processes = *self.record.hosts.get(&host).ok_or(LabError::HostOff(host))?;
        self.network().set_link(host, false)?;
        processes.init.signal(Signal::SIGKILL);
        for process in [processes.init, processes.outer] {
            if !process.wait_gone(HOST_DEADLINE) {
                return Err(LabError::Unkillable(process.number()));
            }
        }
        self.network().detach(host);
        cgroup::remove(self.number(), Some(host));
        self.record.hosts.remove(&host);
        self.record.save()
    }

    /// Starts a host that is off, on the disk it had. Nothing runs on it yet.
    pub fn boot(&mut self, host: u8) -> Result<(), LabError> {
        let processes = boot::boot(&self.network(), host, &self.disk(host))?;
        self.record.hosts.insert(host, processes);
        self.record.save()
    }

    /// Unplugs the host's cable: packets vanish in both directions, connections stay open.
    pub fn cut(&self, host: u8) -> Result<(), LabError> {
        self.network().set_link(host, false)
    }

    /// Plugs it in again.
    pub fn heal(&self, host: u8) -> Result<(), LabError> {
        self.network().set_link(host, true)
    }

    /// Stops all hosts and removes every trace, the disks too.
    pub fn down(mut self) -> Result<(), LabError> {
        self.keep = true;
        self.record.tear_down()
    }

    /// Remembers a process outside the hosts (a registry) that [`Lab::down`] must end.
    pub(crate) fn adopt(&mut self, process: crate::pid::ProcessId) -> Result<(), LabError> {
        self.record.processes.push(process);
        self.record.save()
    }

    /// A command line that goes on inside the host.
    fn enter(&self, host: u8) -> Result<Command, LabError> {
        let processes = self.record.hosts.get(&host).ok_or(LabError::HostOff(host))?;
        let mut nsenter = Command::new("nsenter");
        nsenter.arg("--target").arg(processes.init.number().to_string());
        nsenter.args(["-m", "-u", "-i", "-n", "-p", "-C", "--wd=/", "--"]);
        Ok(nsenter)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = self.record.tear_down()
        {
            eprintln!("lab {} is not wholly cleaned up: {error}", self.record.number);
        }
    }
}

/// Reads the last lines of a log, for an error text; empty if there is none.
pub fn tail(log: &Path, lines: usize) -> String {
    fs::read(log).map_or_else(
        |_| String::new(),
        |bytes| command::last_lines(&String::from_utf8_lossy(&bytes), lines),
    )
}
