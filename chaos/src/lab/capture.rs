//! What goes over a lab's network, recorded.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LabError, Network};
use crate::command::CommandError;

/// How long tcpdump may take to begin, and to end.
const DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// A running tcpdump. Dropping it ends it.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
}

impl Capture {
    /// Returns once packets are recorded.
    pub(super) fn start(network: Network, file: &Path, filter: &str) -> Result<Self, LabError> {
        // All links of the namespace: what two hosts say to each other passes the bridge, but is not for it.
        let words = [
            "--interface=any",
            "--packet-buffered",
            "--snapshot-length=0",
            "-Z",
            "root",
            "-w",
        ];
        let said = file.with_extension("tcpdump.log");
        let log = File::create(&said).map_err(LabError::file("create", &said))?;
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &network.name(), "tcpdump"])
            .args(words)
            .arg(file)
            .arg(filter);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let tcpdump = command.spawn().map_err(|source| CommandError::Start {
            command: "tcpdump".to_owned(),
            source,
        })?;
        let mut capture = Self {
            tcpdump,
            file: file.to_owned(),
        };
        capture.wait_until_it_listens(&said)?;
        Ok(capture)
    }

    /// tcpdump says so itself, and nothing else does.
    fn wait_until_it_listens(&mut self, said: &Path) -> Result<(), LabError> {
        let end = Instant::now() + DEADLINE;
        loop {
            let text = fs::read_to_string(said).unwrap_or_default();
            if text.contains("listening on") {
                return Ok(());
            }
            let exited = self.tcpdump.try_wait().ok().flatten();
            if let Some(status) = exited {
                let failed = CommandError::Failed {
                    command: "tcpdump".to_owned(),
                    status: status.to_string(),
                    stderr: text,
                };
                return Err(failed.into());
            }
            if Instant::now() > end {
                let slow = CommandError::TooSlow {
                    command: "tcpdump".to_owned(),
                    deadline: DEADLINE,
                };
                return Err(slow.into());
            }
            thread::sleep(POLL);
        }
    }

    /// Ends it; every byte that was recorded.
    pub fn finish(mut self) -> Result<Vec<u8>, LabError> {
        self.end();
        fs::read(&self.file).map_err(LabError::file("read", &self.file))
    }

    /// `ip netns exec` becomes tcpdump, so that the process is ours; SIGINT makes it write what it still holds.
    fn end(&mut self) {
        let pid = Pid::from_raw(self.tcpdump.id().cast_signed());
        let end = Instant::now() + DEADLINE;
        if matches!(self.tcpdump.try_wait(), Ok(None)) {
            let _ = kill(pid, Signal::SIGINT);
        }
        while matches!(self.tcpdump.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.tcpdump.kill();
                let _ = self.tcpdump.wait();
                return;
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}
