//! Sockets of a host that the harness keeps open, as a service manager on that host would.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;

use nix::sched::{CloneFlags, setns};

use super::LabError;
use crate::pid::ProcessId;

/// Listens in the network of the host whose first process this is. The thread that went there ends with it.
pub(super) fn listen(init: ProcessId, addr: SocketAddr) -> Result<TcpListener, LabError> {
    let path = PathBuf::from(format!("/proc/{}/ns/net", init.number()));
    let network = File::open(&path).map_err(LabError::file("open", &path))?;
    let work = move || -> io::Result<TcpListener> {
        setns(network, CloneFlags::CLONE_NEWNET)?;
        TcpListener::bind(addr)
    };
    let listener = thread::spawn(work).join();
    let listener = listener.unwrap_or_else(|_| Err(io::Error::other("the thread that went there panicked")));
    listener.map_err(LabError::file("listen in", &path))
}
