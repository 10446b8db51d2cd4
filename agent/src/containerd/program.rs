//! The small programs that lie on the host once: what containers with secrets start with (`agent/launcher`), and what
//! writes the logs of all (`agent/logger`).

use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::runtime::RuntimeError;

/// Where the launcher is mounted inside.
pub(super) const INSIDE: &str = "/run/goblins/launcher";

/// What stands in front of a container's own program in its arguments: the launcher with the keys of its secrets, or
/// nothing. Other programs that are run in the container get the same variables with it.
pub(super) fn in_front_of(args: &[String]) -> impl Iterator<Item = String> + '_ {
    let launched = args.first().is_some_and(|it| it == INSIDE);
    let end = args.iter().position(|it| it == "--").filter(|_| launched);
    args[..end.map_or(0, |it| it + 1)].iter().cloned()
}

/// Puts secrets into the environment and becomes the container's own program.
pub(super) static LAUNCHER: Program = Program::new(
    "launcher",
    include_bytes!(concat!(env!("OUT_DIR"), "/goblins-launcher")),
);

/// Writes what a container prints to its log.
pub(super) static LOGGER: Program = Program::new("logger", include_bytes!(concat!(env!("OUT_DIR"), "/goblins-logger")));

/// A program that the daemon carries within itself.
pub(super) struct Program {
    name: &'static str,
    bytes: &'static [u8],
    /// What its file is called.
    file: OnceLock<String>,
}

impl Program {
    const fn new(name: &'static str, bytes: &'static [u8]) -> Self {
        Self {
            name,
            bytes,
            file: OnceLock::new(),
        }
    }

    /// Sees to it that it lies in `folder`, and says where. It is named after its content: a daemon of another version
    /// brings its own.
    pub(super) async fn install(&'static self, folder: &Path) -> Result<PathBuf, RuntimeError> {
        let digest = || hex::encode(Sha256::digest(self.bytes));
        let file = self.file.get_or_init(|| format!("{}-{}", self.name, &digest()[..16]));
        let path = folder.join(file);
        let (target, folder) = (path.clone(), folder.to_owned());
        let done = tokio::task::spawn_blocking(move || write(&folder, &target, self.bytes)).await;
        match done.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(RuntimeError::DiskFull { path }),
            Err(source) => Err(RuntimeError::File { path, source }),
        }
    }
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.metadata().is_ok_and(|it| it.len() == bytes.len() as u64) {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    // Others may do the same at the same time; a name changes its file at once.
    let temporary = folder.join(format!(".{}", Uuid::new_v4().simple()));
    let result = put(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if result.is_err() {
        // Never there, or left behind by a full disk; the next one has another name.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o755).open(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.set_permissions(PermissionsExt::from_mode(0o555))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn they_are_static_and_written_once_and_mended() {
        for program in [&LAUNCHER, &LOGGER] {
            let folder = tempfile::tempdir().unwrap();
            let path = program.install(folder.path()).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), program.bytes);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o555);
            let needs_a_loader = program.bytes.windows(4).any(|it| it == b"/ld-");
            assert!(!needs_a_loader, "a static program names no loader");
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, "cut off").unwrap();
            assert_eq!(program.install(folder.path()).await.unwrap(), path);
            assert_eq!(std::fs::read(&path).unwrap(), program.bytes);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}
