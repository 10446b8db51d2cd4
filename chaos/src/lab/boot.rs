//! Starts a host's first process in namespaces of its own and plugs the host in.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use nix::sys::signal::Signal;

use super::record::HostRecord;
use super::{HOST_DEADLINE, LabError, Network, cgroup, init, tail};
use crate::paths;
use crate::pid::ProcessId;

/// Joins the cgroups named before `--`, then becomes what stands after it.
pub(super) const JOIN_AND_EXEC: &str =
    r#"while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done; shift; exec "$@""#;

/// Boots a host that is off; its disk is made if it has none.
pub(super) fn boot(network: &Network, host: u8, disk: &Path) -> Result<HostRecord, LabError> {
    fs::create_dir_all(disk).map_err(LabError::file("make the folder", disk))?;
    let log_path = disk.join("host.log");
    let log = fs::File::options().create(true).append(true).open(&log_path);
    let log = log.map_err(LabError::file("open", &log_path))?;

    let mut command = Command::new("sh");
    command
        .args(["-c", JOIN_AND_EXEC, "sh"])
        .args(cgroup::create(network.number(), host)?);
    command.args(["--", "setsid", "unshare", "-n", "-m", "-u", "-i", "-p", "-f", "-C"]);
    command.args(["--mount-proc", "--propagation", "private", "--kill-child", "--"]);
    command
        .arg(paths::chaos()?)
        .args(["host-init", "--name", &format!("h{host}")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().map_err(LabError::file("run", Path::new("sh")))?;
    let not_booted = || LabError::NotBooted {
        host,
        reason: tail(&log_path, 5),
    };

    let ready = wait_ready(&mut child);
    let outer = ProcessId::of(child.id().cast_signed());
    let first = outer.and_then(ProcessId::first_child);
    // Nobody else waits for it; without this it would stay a zombie for as long as this process lives.
    thread::spawn(move || child.wait());
    let (Some(outer), Some(init), true) = (outer, first, ready) else {
        if let Some(outer) = outer {
            outer.signal(Signal::SIGKILL);
        }
        return Err(not_booted());
    };
    let record = HostRecord { outer, init };
    if let Err(error) = network.attach(host, init) {
        init.signal(Signal::SIGKILL);
        return Err(error);
    }
    Ok(record)
}

/// Whether the host's first process says in time that its mounts are there.
fn wait_ready(child: &mut Child) -> bool {
    let Some(out) = child.stdout.take() else { return false };
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(out).read_line(&mut line);
        let _ = send.send(line);
    });
    receive
        .recv_timeout(HOST_DEADLINE)
        .is_ok_and(|line| line.trim() == init::READY)
}
