//! The first process of a host: gives the host mounts of its own, then reaps whatever is orphaned on it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::sethostname;
use thiserror::Error;

use super::cgroup;

/// What the lab waits for on the standard output.
pub(super) const READY: &str = "ready";

/// A host could not be set up from inside.
#[derive(Debug, Error)]
pub enum InitError {
    /// A system call was refused.
    #[error("cannot {0}")]
    Refused(String, #[source] Errno),
    /// A folder could not be made, or the lab is gone.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// Runs as PID 1 in fresh namespaces until the host is told to shut down by SIGTERM or killed.
pub fn run(name: &str) -> Result<(), InitError> {
    let mut awaited = SigSet::empty();
    awaited.add(Signal::SIGCHLD);
    awaited.add(Signal::SIGTERM);
    awaited.thread_block().map_err(refused("block signals"))?;

    sethostname(name).map_err(refused("set the host name"))?;
    mount_cgroups()?;
    mount_run()?;
    let mut out = io::stdout();
    writeln!(out, "{READY}")
        .and_then(|()| out.flush())
        .map_err(write_to("standard output"))?;

    loop {
        match awaited.wait().map_err(refused("wait for a signal"))? {
            Signal::SIGTERM => return Ok(()),
            _ => reap(),
        }
    }
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

/// A fresh `/sys`, which shows this host's network only, with this host's own root in every cgroup hierarchy.
fn mount_cgroups() -> Result<(), InitError> {
    let hierarchies = cgroup::hierarchies();
    // The machine's own mounts would still be found by whoever reads the mount table.
    let _ = umount2("/sys", MntFlags::MNT_DETACH);
    fs_mount("sysfs", Path::new("/sys"), "")?;
    let top = Path::new("/sys/fs/cgroup");
    if cgroup::unified(&hierarchies) {
        fs_mount("cgroup2", top, "")?;
        // A group that hands controllers on may hold no process itself.
        let init = top.join("init");
        fs::create_dir_all(&init).map_err(write_to(&init))?;
        fs::write(init.join("cgroup.procs"), "1").map_err(write_to(&init))?;
        cgroup::delegate(top);
        return Ok(());
    }
    fs_mount("tmpfs", top, "mode=755")?;
    for hierarchy in hierarchies {
        fs::create_dir_all(&hierarchy.mount).map_err(write_to(&hierarchy.mount))?;
        let kind = if hierarchy.is_v2() { "cgroup2" } else { "cgroup" };
        fs_mount(kind, &hierarchy.mount, &hierarchy.options)?;
    }
    Ok(())
}

/// An empty `/run`: sockets and runtime state of other hosts are out of sight, and gone after a power loss.
fn mount_run() -> Result<(), InitError> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    let below: Vec<&str> = points.filter(|point| point.starts_with("/run/")).collect();
    for point in below.iter().rev() {
        // Each holds a namespace of some lab alive for as long as this host runs.
        let _ = umount2(*point, MntFlags::MNT_DETACH);
    }
    fs_mount("tmpfs", Path::new("/run"), "mode=755")?;
    for folder in ["/run/lock", "/run/netns"] {
        fs::create_dir_all(folder).map_err(write_to(folder))?;
    }
    Ok(())
}

fn fs_mount(kind: &str, point: &Path, options: &str) -> Result<(), InitError> {
    let options = (!options.is_empty()).then_some(options);
    mount(Some(kind), point, Some(kind), MsFlags::empty(), options)
        .map_err(refused(&format!("mount {kind} on {}", point.display())))
}

fn refused(what: &str) -> impl FnOnce(Errno) -> InitError {
    let what = what.to_owned();
    move |errno| InitError::Refused(what, errno)
}

fn write_to(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> InitError {
    let path = path.as_ref().to_owned();
    move |source| InitError::Write(path, source)
}
