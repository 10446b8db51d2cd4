//! What a lab consists of, written down so that any later process can take it away again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::network::MAX_HOSTS;
use super::{HOST_DEADLINE, LabError, Network, cgroup};
use crate::pid::ProcessId;

/// One file a lab, named by its number. Gone after a restart of the machine, as the labs are.
const RECORDS: &str = "/run/goblins-lab";

/// Marks a folder as a lab's own.
const MARKER: &str = ".goblins-lab";

/// The processes that hold a host's namespaces.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct HostRecord {
    /// The process that made the namespaces and waits outside.
    pub outer: ProcessId,
    /// The host's first process.
    pub init: ProcessId,
}

/// One lab, as its file holds it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// The lab's number.
    pub number: u8,
    /// Its folder.
    pub state: PathBuf,
    /// The process it ends with; none if it was left running on purpose.
    pub(super) owner: Option<ProcessId>,
    /// The hosts that are running.
    pub(super) hosts: BTreeMap<u8, HostRecord>,
    /// Processes beside the hosts.
    pub(super) processes: Vec<ProcessId>,
}

impl Record {
    /// Takes down the labs of processes that are gone, then reserves a number.
    pub(super) fn claim(state: Option<&Path>) -> Result<Self, LabError> {
        let _lock = lock()?;
        for mut left in Self::all() {
            if left.owner.is_some_and(|owner| !owner.alive()) {
                left.tear_down_unlocked()?;
            }
        }
        for number in 1..=MAX_HOSTS {
            if file(number).exists() || Network::of(number).in_use() {
                continue;
            }
            // What is left of a lab whose record is lost. Its number is free, so nobody owns it.
            Network::of(number).remove();
            let state = match state {
                Some(state) => state.to_owned(),
                None => std::env::temp_dir().join(format!("goblins-lab-{number}")),
            };
            take_folder(&state)?;
            let record = Self {
                number,
                state,
                owner: ProcessId::own(),
                hosts: BTreeMap::new(),
                processes: Vec::new(),
            };
            record.save()?;
            return Ok(record);
        }
        Err(LabError::NoFreeNumber)
    }

    pub(super) fn load(number: u8) -> Option<Self> {
        serde_json::from_slice(&fs::read(file(number)).ok()?).ok()
    }

    pub(super) fn all() -> Vec<Self> {
        (1..=MAX_HOSTS).filter_map(Self::load).collect()
    }

    pub(super) fn save(&self) -> Result<(), LabError> {
        let (path, new) = (file(self.number), file(self.number).with_extension("new"));
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        fs::write(&new, bytes).map_err(LabError::file("write", &new))?;
        fs::rename(&new, &path).map_err(LabError::file("write", &path))
    }

    /// Ends every process of the lab and removes its network, cgroups, folder and, last, this record.
    pub(super) fn tear_down(&mut self) -> Result<(), LabError> {
        let _lock = lock()?;
        self.tear_down_unlocked()
    }

    fn tear_down_unlocked(&mut self) -> Result<(), LabError> {
        let hosts = self.hosts.values().flat_map(|host| [host.init, host.outer]);
        let recorded: Vec<ProcessId> = hosts.chain(self.processes.iter().copied()).collect();
        // Processes that joined and were never recorded: those that wait outside a host for one inside (a host ends only
        // with them), and any whose lab was killed in that moment.
        let members = || cgroup::members(self.number).into_iter().filter_map(ProcessId::of);
        end_all(&members().chain(recorded).collect::<Vec<_>>())?;
        end_all(&members().collect::<Vec<_>>())?;
        Network::of(self.number).remove();
        cgroup::remove(self.number, None);
        remove_folder(&self.state)?;
        let path = file(self.number);
        fs::remove_file(&path).map_err(LabError::file("remove", &path))
    }
}

fn end_all(processes: &[ProcessId]) -> Result<(), LabError> {
    for process in processes {
        process.signal(Signal::SIGKILL);
    }
    match processes.iter().find(|process| !process.wait_gone(HOST_DEADLINE)) {
        Some(left) => Err(LabError::Unkillable(left.number())),
        None => Ok(()),
    }
}

/// An empty folder for a lab; only one that a lab has used before is emptied.
fn take_folder(folder: &Path) -> Result<(), LabError> {
    let marker = folder.join(MARKER);
    if marker.exists() {
        remove_folder(folder)?;
    }
    fs::create_dir_all(folder).map_err(LabError::file("make the folder", folder))?;
    let mut entries = fs::read_dir(folder).map_err(LabError::file("read", folder))?;
    if entries.next().is_some() {
        return Err(LabError::FolderTaken(folder.to_owned()));
    }
    fs::write(&marker, "").map_err(LabError::file("write", &marker))
}

fn remove_folder(folder: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LabError::file("remove", folder)(error)),
        _ => Ok(()),
    }
}

fn file(number: u8) -> PathBuf {
    Path::new(RECORDS).join(format!("{number}.json"))
}

/// One process at a time claims or clears numbers.
fn lock() -> Result<Flock<File>, LabError> {
    fs::create_dir_all(RECORDS).map_err(LabError::file("make the folder", Path::new(RECORDS)))?;
    let path = Path::new(RECORDS).join("lock");
    let lock = File::create(&path).map_err(LabError::file("open", &path))?;
    Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| LabError::file("lock", &path)(errno.into()))
}
