//! Programs that run on a host until they are stopped.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::boot::JOIN_AND_EXEC;
use super::{HOST_DEADLINE, Lab, LabError, cgroup};
use crate::pid::ProcessId;

/// What to run on a host.
#[derive(Clone, Debug)]
pub struct Program {
    words: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    log: PathBuf,
    input: Option<Arc<TcpListener>>,
}

impl Program {
    /// `program` with no arguments; what it prints is appended to `log`.
    pub fn new(program: impl AsRef<OsStr>, log: impl Into<PathBuf>) -> Self {
        Self {
            words: vec![program.as_ref().to_owned()],
            environment: Vec::new(),
            log: log.into(),
            input: None,
        }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.words
            .extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Gives it a socket as its standard input.
    pub fn input(mut self, socket: Arc<TcpListener>) -> Self {
        self.input = Some(socket);
        self
    }

    /// Sets a variable. Of the harness's own environment a program gets only `PATH`.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }
}

/// A program running on a host. Dropping it does not stop it.
#[derive(Clone, Debug)]
pub struct HostProcess {
    id: ProcessId,
    log: PathBuf,
    exit: Arc<(Mutex<Option<ExitStatus>>, Condvar)>,
}

impl HostProcess {
    /// Its identity, as this machine numbers it.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.id.signal(signal);
    }

    /// How it ended, if it has.
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its end; `None` if it still runs after `deadline`.
    pub fn wait(&self, deadline: Duration) -> Option<ExitStatus> {
        let (exit, changed) = &*self.exit;
        let guard = exit.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, deadline, |exit| exit.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

pub(super) fn spawn(lab: &Lab, host: u8, program: &Program) -> Result<HostProcess, LabError> {
    let log = File::options().create(true).append(true).open(&program.log);
    let log = log.map_err(LabError::file("open", &program.log))?;
    let log_too = log.try_clone().map_err(LabError::file("open", &program.log))?;
    let enter = lab.enter(host)?;

    let mut command = Command::new("sh");
    command.args(["-c", JOIN_AND_EXEC, "sh"]);
    // `nsenter` enters the host's view of the cgroups, but not the cgroups.
    command.args(cgroup::join_files(lab.number(), host, true)).arg("--");
    command
        .arg("setsid")
        .arg(enter.get_program())
        .args(enter.get_args())
        .args(&program.words);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(program.environment.iter().map(|(name, value)| (name, value)));
    let input = match &program.input {
        Some(socket) => Stdio::from(OwnedFd::from(
            socket.try_clone().map_err(LabError::file("share", &program.log))?,
        )),
        None => Stdio::null(),
    };
    command.stdin(input).stdout(log).stderr(log_too);
    let mut child = command.spawn().map_err(LabError::file("run", Path::new("sh")))?;

    let outer = ProcessId::of(child.id().cast_signed());
    let exit = Arc::new((Mutex::new(None), Condvar::new()));
    let exit_of_child = Arc::clone(&exit);
    thread::spawn(move || {
        let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0));
        *exit_of_child.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        exit_of_child.1.notify_all();
    });
    let process = |id| HostProcess {
        id,
        log: program.log.clone(),
        exit: Arc::clone(&exit),
    };
    // `nsenter` forks once it is inside, because only a child is a member of the host's process tree.
    let end = Instant::now() + HOST_DEADLINE;
    loop {
        if let Some(id) = outer.and_then(ProcessId::first_child) {
            return Ok(process(id));
        }
        match outer {
            // Ended before it was seen: its exit status tells the rest.
            Some(outer) if !outer.alive() || Instant::now() > end => return Ok(process(outer)),
            Some(_) => thread::sleep(Duration::from_millis(1)),
            None => return Err(LabError::HostOff(host)),
        }
    }
}
