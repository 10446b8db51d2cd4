//! The pipes through which a process beside a container's first one speaks with this daemon: named ones, which the shim
//! opens at its end.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tokio::net::unix::pipe;

use crate::exec::ExecRequest;
use crate::runtime::RuntimeError;

/// Our ends of them.
pub(super) struct Pipes {
    /// `None` for a process that is given no input.
    pub stdin: Option<pipe::Sender>,
    pub stdout: pipe::Receiver,
    /// `None` for a process on a terminal.
    pub stderr: Option<pipe::Receiver>,
    pub folder: Folder,
}

/// Removed with all that is in it when dropped.
pub(super) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is removed at the next start of the daemon.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Pipes {
    pub(super) async fn make(folder: PathBuf, request: &ExecRequest) -> Result<Self, RuntimeError> {
        let failed = |source| RuntimeError::File {
            path: folder.clone(),
            source,
        };
        tokio::fs::create_dir_all(&folder).await.map_err(failed)?;
        let guard = Folder(folder.clone());
        // Ours first: the shim waits for whoever reads, and we read only once it writes.
        let stdout = receiver(&folder.join("stdout")).map_err(failed)?;
        let stderr = match request.terminal {
            Some(_) => None,
            None => Some(receiver(&folder.join("stderr")).map_err(failed)?),
        };
        let stdin = match request.stdin {
            true => Some(sender(&folder.join("stdin")).map_err(failed)?),
            false => None,
        };
        Ok(Self {
            stdin,
            stdout,
            stderr,
            folder: guard,
        })
    }

    pub(super) fn stdin_path(&self) -> String {
        self.path("stdin", self.stdin.is_some())
    }

    pub(super) fn stdout_path(&self) -> String {
        self.path("stdout", true)
    }

    pub(super) fn stderr_path(&self) -> String {
        self.path("stderr", self.stderr.is_some())
    }

    /// As containerd is told; nothing for none.
    fn path(&self, name: &str, is_there: bool) -> String {
        match is_there {
            true => self.folder.0.join(name).display().to_string(),
            false => String::new(),
        }
    }
}

fn receiver(path: &Path) -> io::Result<pipe::Receiver> {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    pipe::OpenOptions::new().open_receiver(path)
}

/// Opened for reading too, since nobody else reads yet.
fn sender(path: &Path) -> io::Result<pipe::Sender> {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    pipe::OpenOptions::new().read_write(true).open_sender(path)
}
