//! A cluster of real daemons that things are done to: control plane only, each on a host and an ext4 disk of its own.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use thiserror::Error;

use crate::cluster::{Cluster, ClusterError, Options};
use crate::command::CommandError;
use crate::fault::{Fault, Host};
use crate::lab::{Lab, LabError};

mod clock;
mod disk;
mod wires;

use wires::Wires;

/// Why a fault could not be brought about or ended.
#[derive(Debug, Error)]
pub enum HarnessError {
    /// The hosts did not do their part.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The daemons did not do theirs.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A tool failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A tool failed on a host.
    #[error("`{command}` failed on host {host}: {said}")]
    OnHost {
        /// Where.
        host: Host,
        /// The command line.
        command: String,
        /// What it printed to its standard error.
        said: String,
    },
    /// The disk of a dead host is still in use.
    #[error("the kernel still holds {}", .0.display())]
    DiskHeld(PathBuf),
    /// A file of the harness itself.
    #[error("cannot write {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// Clocks are asked for where they cannot jump.
    #[error("clocks jump by libfaketime only: apt-get install libfaketime, or leave `clock` out of the faults")]
    NoClock,
}

/// How the cluster is made.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// How many hosts.
    pub hosts: u8,
    /// Whether clocks will have to jump.
    pub clocks: bool,
    /// Further flags of every daemon.
    pub flags: Vec<String>,
}

/// The cluster and what is wrong with it. Dropping it removes everything.
#[derive(Debug)]
pub struct Harness {
    lab: Lab,
    cluster: Cluster,
    wires: Wires,
    setup: Setup,
}

impl Harness {
    /// Boots the hosts and starts a daemon on each; all are ready when this returns. Needs root.
    pub async fn up(setup: Setup) -> Result<Self, HarnessError> {
        if setup.clocks && !clock::available() {
            return Err(HarnessError::NoClock);
        }
        let mut lab = Lab::up(0, None)?;
        let mut environment = BTreeMap::new();
        for host in 1..=setup.hosts {
            disk::format(&lab, host)?;
            lab.boot(host)?;
            disk::mount(&lab, host)?;
            if setup.clocks {
                clock::set(lab.state(), host, 0)?;
                environment.insert(host, clock::environment(lab.state(), host));
            }
        }
        let mut flags = vec!["--no-agent".to_owned()];
        flags.extend(setup.flags.iter().cloned());
        let options = Options {
            flags,
            environment,
            ..Options::default()
        };
        let cluster = Cluster::start(&lab, options).await?;
        Ok(Self {
            lab,
            cluster,
            wires: Wires::default(),
            setup,
        })
    }

    /// The daemons.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The hosts.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The numbers of the hosts, also of those that are off.
    pub fn hosts(&self) -> Vec<Host> {
        self.cluster.hosts()
    }

    /// Brings a fault about.
    pub fn inject(&mut self, fault: &Fault) -> Result<(), HarnessError> {
        match fault {
            Fault::Kill { host } => self.cluster.kill(*host)?,
            Fault::Restart { host } => self.cluster.stop(*host)?,
            Fault::Pause { host } => self.cluster.daemon(*host)?.signal(Signal::SIGSTOP),
            Fault::PowerCut { host } => {
                disk::cut(&self.lab, *host)?;
                self.lab.crash(*host)?;
            }
            Fault::DiskFull { host } => disk::fill(&self.lab, *host)?,
            Fault::ClockJump { host, seconds } => clock::set(self.lab.state(), *host, *seconds)?,
            Fault::Slow { host, kilobits } => wires::throttle(&self.lab, *host, Some(*kilobits))?,
            Fault::Loss { host, percent } => {
                self.wires.loss.insert(*host, *percent);
                self.rewire()?;
            }
            Fault::PartitionPair { .. } | Fault::PartitionHalf { .. } | Fault::OneWayCut { .. } => {
                self.wires.silent.extend(self.silenced(fault));
                self.rewire()?;
            }
        }
        Ok(())
    }

    /// Ends a fault that was brought about. A daemon is started and not waited for.
    pub fn heal(&mut self, fault: &Fault) -> Result<(), HarnessError> {
        match fault {
            Fault::Kill { host } | Fault::Restart { host } => {
                self.cluster.launch(&self.lab, *host)?;
            }
            Fault::Pause { host } => {
                let daemon = self.cluster.daemon(*host)?;
                // `nsenter`, its parent, stops when its child does, and would never notice the child's end.
                if let Some(parent) = daemon.id().parent() {
                    parent.signal(Signal::SIGCONT);
                }
                daemon.signal(Signal::SIGCONT);
            }
            Fault::PowerCut { host } => {
                self.lab.boot(*host)?;
                disk::mount(&self.lab, *host)?;
                self.wires.put_up(&self.lab, *host, &self.hosts())?;
                self.cluster.launch(&self.lab, *host)?;
            }
            Fault::DiskFull { host } => disk::empty(&self.lab, *host)?,
            Fault::ClockJump { host, .. } => clock::set(self.lab.state(), *host, 0)?,
            Fault::Slow { host, .. } => wires::throttle(&self.lab, *host, None)?,
            Fault::Loss { host, .. } => {
                self.wires.loss.remove(host);
                self.rewire()?;
            }
            Fault::PartitionPair { .. } | Fault::PartitionHalf { .. } | Fault::OneWayCut { .. } => {
                for pair in self.silenced(fault) {
                    self.wires.silent.remove(&pair);
                }
                self.rewire()?;
            }
        }
        Ok(())
    }

    /// Starts again every daemon that has ended, such as one that gave up on a full disk; who they were.
    pub fn revive(&mut self) -> Result<Vec<Host>, HarnessError> {
        let mut revived = Vec::new();
        for host in self.hosts() {
            if self.lab.running().contains(&host) && self.cluster.daemon(host)?.exited().is_some() {
                self.cluster.launch(&self.lab, host)?;
                revived.push(host);
            }
        }
        Ok(revived)
    }

    /// The host of the leader, as the first node says that knows one.
    pub async fn leader(&self) -> Option<Host> {
        for host in self.hosts() {
            if let Ok(Some(leader)) = self.cluster.leader(host).await {
                return Some(leader);
            }
        }
        None
    }

    /// Waits until every node serves linearizable reads.
    pub async fn wait_ready(&self) -> Result<(), HarnessError> {
        for host in self.hosts() {
            self.cluster.wait_ready(host).await?;
        }
        Ok(())
    }

    /// How it was made.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The (from, to) that a fault of the network makes silent.
    fn silenced(&self, fault: &Fault) -> Vec<(Host, Host)> {
        match fault {
            Fault::PartitionPair { one, other } => vec![(*one, *other), (*other, *one)],
            Fault::OneWayCut { from, to } => vec![(*from, *to)],
            Fault::PartitionHalf { side } => {
                let (inside, outside): (Vec<Host>, Vec<Host>) =
                    self.hosts().into_iter().partition(|host| side.contains(host));
                let pairs = inside.iter().flat_map(|one| outside.iter().map(|other| (*one, *other)));
                pairs.flat_map(|(one, other)| [(one, other), (other, one)]).collect()
            }
            _ => Vec::new(),
        }
    }

    fn rewire(&self) -> Result<(), HarnessError> {
        let hosts = self.hosts();
        hosts
            .iter()
            .try_for_each(|host| self.wires.put_up(&self.lab, *host, &hosts))
    }
}
