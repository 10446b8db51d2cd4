//! The values of secrets as files: a tmpfs for each replica that has some, mounted into its container.
//!
//! ```text
//! PREFIX-NODE (0700)/REPLICA  tmpfs, 0500, owner: the container's user -> read-only at /run/secrets
//!                       KEY   0400, the same owner
//! ```
//!
//! Nothing of it is ever on a disk, except where the kernel is too old to keep a tmpfs from being swapped (before 6.4).

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use model::{NodeId, ReplicaId};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tokio::sync::Mutex;

use super::user::Ids;
use crate::runtime::RuntimeError;
use crate::secret::OpenSecret;

/// Where it is mounted inside.
pub(super) const INSIDE: &str = "/run/secrets";

/// No page of Linux is larger; each file takes whole ones.
const PAGE: usize = 64 * 1024;

/// Those that a node has on this host.
#[derive(Debug)]
pub(super) struct Vaults {
    folder: PathBuf,
    /// Those that were there before containers were listed, and that nobody has used since. Held while any is changed.
    suspects: Mutex<BTreeSet<ReplicaId>>,
}

/// A folder of vaults, and whose it is.
pub(super) struct Folder {
    pub node: NodeId,
    pub vaults: Vaults,
}

/// The folders of all nodes that have one on this host.
pub(super) fn folders(prefix: &Path) -> impl Iterator<Item = Folder> + use<> {
    let start = prefix.file_name().and_then(|it| it.to_str()).map(|it| format!("{it}-"));
    let names = prefix.parent().and_then(|it| std::fs::read_dir(it).ok());
    let names = names.into_iter().flatten();
    names.filter_map(move |it| {
        let it = it.ok()?;
        let node = it.file_name().to_str()?.strip_prefix(start.as_deref()?)?.parse().ok()?;
        Some(Folder {
            node: NodeId(node),
            vaults: Vaults::new(it.path()),
        })
    })
}

impl Vaults {
    /// Those of a node. Makes nothing yet.
    pub(super) fn of(prefix: &Path, node: NodeId) -> Self {
        let mut folder = prefix.as_os_str().to_owned();
        folder.push(format!("-{node}"));
        Self::new(folder.into())
    }

    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            suspects: Mutex::default(),
        }
    }

    /// Where the values of a replica lie on the host.
    pub(super) fn place(&self, replica: ReplicaId) -> PathBuf {
        self.folder.join(replica.to_string())
    }

    /// Makes the replica's files, in place of any that are left over. `ids` is who may read them.
    pub(super) async fn fill(
        &self,
        replica: ReplicaId,
        ids: Ids,
        secrets: Vec<OpenSecret>,
    ) -> Result<(), RuntimeError> {
        let mut suspects = self.suspects.lock().await;
        suspects.remove(&replica);
        let (folder, place) = (self.folder.clone(), self.place(replica));
        self.blocking(replica, move || fill(&folder, &place, ids, &secrets))
            .await
    }

    /// Ends what a replica has here. Harmless where there is nothing.
    pub(super) async fn remove(&self, replica: ReplicaId) -> Result<(), RuntimeError> {
        let _alone = self.suspects.lock().await;
        self.remove_alone(replica).await
    }

    async fn remove_alone(&self, replica: ReplicaId) -> Result<(), RuntimeError> {
        let place = self.place(replica);
        self.blocking(replica, move || remove(&place)).await
    }

    /// To be called before containers are listed.
    pub(super) async fn suspect_all(&self) {
        let names = std::fs::read_dir(&self.folder).into_iter().flatten();
        let names = names.filter_map(|it| it.ok()?.file_name().into_string().ok());
        *self.suspects.lock().await = names.filter_map(|it| it.parse().ok().map(ReplicaId)).collect();
    }

    /// To be called with the list: removes what a daemon left that was killed at a bad moment.
    pub(super) async fn remove_all_but(&self, containers: &BTreeSet<ReplicaId>) {
        let mut suspects = self.suspects.lock().await;
        for replica in std::mem::take(&mut *suspects).difference(containers) {
            match self.remove_alone(*replica).await {
                Ok(()) => tracing::info!(%replica, "removed secrets that were left over"),
                Err(error) => tracing::warn!(%replica, %error, "secrets that are left over cannot be removed yet"),
            }
        }
    }

    /// Removes those of a node that is gone, once their containers are, and then the folder.
    pub(super) async fn sweep(&self, containers: &BTreeSet<ReplicaId>) {
        self.suspect_all().await;
        self.remove_all_but(containers).await;
        // As long as something is in it, this fails.
        let _ = std::fs::remove_dir(&self.folder);
    }

    async fn blocking(
        &self,
        replica: ReplicaId,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), RuntimeError> {
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|source| RuntimeError::Secrets {
                path: self.place(replica),
                source,
            })
    }
}

fn fill(folder: &Path, place: &Path, ids: Ids, secrets: &[OpenSecret]) -> io::Result<()> {
    remove(place)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    DirBuilder::new().mode(0o700).create(place)?;
    let filled = mount_memory(place, ids, secrets).and_then(|()| secrets.iter().try_for_each(|it| put(place, ids, it)));
    if filled.is_err() {
        remove(place)?;
    }
    filled
}

fn mount_memory(place: &Path, ids: Ids, secrets: &[OpenSecret]) -> io::Result<()> {
    let size: usize = secrets
        .iter()
        .map(|it| it.value.len().div_ceil(PAGE) * PAGE + PAGE)
        .sum();
    let Ids { uid, gid } = ids;
    let limits = format!(
        "size={size},nr_inodes={},mode=0500,uid={uid},gid={gid}",
        secrets.len() + 2
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let mount = |options: &str| mount(Some("goblins-secrets"), place, Some("tmpfs"), flags, Some(options));
    match mount(&format!("{limits},noswap")) {
        Err(Errno::EINVAL) => mount(&limits)?,
        other => other?,
    }
    Ok(())
}

fn put(place: &Path, ids: Ids, secret: &OpenSecret) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(place.join(&secret.key))?;
    file.write_all(&secret.value)?;
    file.set_permissions(Permissions::from_mode(0o400))?;
    fchown(&file, Some(ids.uid), Some(ids.gid))
}

/// The files go first: the memory is given back even where another mount namespace still holds the tmpfs.
fn remove(place: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        std::fs::remove_file(entry.path())?;
    }
    loop {
        match umount2(place, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    match std::fs::remove_dir(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
