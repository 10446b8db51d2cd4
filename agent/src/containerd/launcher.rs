//! The program that containers with secrets start with, see `agent/launcher`. It lies on the host once.

use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::runtime::RuntimeError;

/// Where it is mounted inside.
pub(super) const INSIDE: &str = "/run/goblins/launcher";

/// What stands in front of a container's own program in its arguments: the launcher with the keys of its secrets, or
/// nothing. Other programs that are run in the container get the same variables with it.
pub(super) fn in_front_of(args: &[String]) -> impl Iterator<Item = String> + '_ {
    let launched = args.first().is_some_and(|it| it == INSIDE);
    let end = args.iter().position(|it| it == "--").filter(|_| launched);
    args[..end.map_or(0, |it| it + 1)].iter().cloned()
}

const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/goblins-launcher"));
const PREFIX: &str = "launcher-";

/// Named after its content: a daemon of another version brings its own.
static NAME: LazyLock<String> = LazyLock::new(|| format!("{PREFIX}{}", &hex::encode(Sha256::digest(PROGRAM))[..16]));

/// Sees to it that it lies in `folder`, and says where.
pub(super) async fn install(folder: &Path) -> Result<PathBuf, RuntimeError> {
    let path = folder.join(NAME.as_str());
    let (target, folder) = (path.clone(), folder.to_owned());
    let done = tokio::task::spawn_blocking(move || write(&folder, &target)).await;
    match done.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(RuntimeError::DiskFull { path }),
        Err(source) => Err(RuntimeError::File { path, source }),
    }
}

fn write(folder: &Path, path: &Path) -> io::Result<()> {
    if path.metadata().is_ok_and(|it| it.len() == PROGRAM.len() as u64) {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    // Others may do the same at the same time; a name changes its file at once.
    let temporary = folder.join(format!(".{}", Uuid::new_v4().simple()));
    let result = put(&temporary).and_then(|()| std::fs::rename(&temporary, path));
    if result.is_err() {
        // Never there, or left behind by a full disk; the next one has another name.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn put(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o755).open(path)?;
    io::Write::write_all(&mut file, PROGRAM)?;
    file.set_permissions(PermissionsExt::from_mode(0o555))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_static_and_written_once_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = install(folder.path()).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), PROGRAM);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o555);
        let needs_a_loader = PROGRAM.windows(4).any(|it| it == b"/ld-");
        assert!(!needs_a_loader, "a static program names no loader");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "cut off").unwrap();
        assert_eq!(install(folder.path()).await.unwrap(), path);
        assert_eq!(std::fs::read(&path).unwrap(), PROGRAM);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
