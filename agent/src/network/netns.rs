//! Named network namespaces, in the place and form that `ip netns` uses too.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use model::ReplicaId;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::oneshot;

use super::link::Links;
use super::{NetworkError, Subnet};

/// A namespace that was just made.
pub(super) struct Inside {
    file: File,
    path: PathBuf,
}

/// Lets namespaces that are named here be seen from other mount namespaces too, as `ip netns` does.
pub(super) fn share(folder: &Path) -> Result<(), NetworkError> {
    let failed = |source| system("share", folder)(source);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let none: Option<&str> = None;
    let shared = || mount(none, folder, none, MsFlags::MS_SHARED | MsFlags::MS_REC, none);
    match shared() {
        // Only a mount can be shared, so the folder is mounted onto itself.
        Err(Errno::EINVAL) => mount(Some(folder), folder, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
            .and_then(|()| shared())
            .map_err(|errno| failed(errno.into())),
        other => other.map_err(|errno| failed(errno.into())),
    }
}

/// Makes a namespace and names it.
pub(super) async fn create(path: &Path) -> Result<Inside, NetworkError> {
    File::create(path).map_err(system("name a network namespace", path))?;
    let target = path.to_owned();
    // A thread of its own, which ends: it is in the new namespace ever after.
    let made = on_own_thread(move || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let none: Option<&str> = None;
        mount(Some("/proc/thread-self/ns/net"), &target, none, MsFlags::MS_BIND, none)?;
        File::open(&target)
    });
    match made.await {
        Ok(file) => Ok(Inside {
            file,
            path: path.to_owned(),
        }),
        Err(source) => {
            remove(path)?;
            Err(system("make the network namespace", path)(source))
        }
    }
}

impl Inside {
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Sets up the interface inside, once the pair is connected.
    pub(super) async fn configure(&self, address: Ipv4Addr, subnet: Subnet) -> Result<(), NetworkError> {
        let file = self.file.try_clone().map_err(system("enter", &self.path))?;
        let done = on_own_thread(move || {
            setns(&file, CloneFlags::CLONE_NEWNET)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(async { Links::open()?.configure(address, subnet).await }))
        });
        done.await.map_err(system("enter", &self.path))?
    }
}

async fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (send, receive) = oneshot::channel();
    std::thread::Builder::new().name("netns".to_owned()).spawn(move || {
        // Nobody listens any more when the agent was stopped meanwhile.
        let _ = send.send(work());
    })?;
    receive
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the thread that works on it ended early")))
}

/// Removes a namespace's name; the kernel removes the rest once no process is in it.
pub(super) fn remove(path: &Path) -> Result<(), NetworkError> {
    match umount2(path, MntFlags::MNT_DETACH) {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(errno) => return Err(system("unmount", path)(errno.into())),
    }
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(system("remove", path)(source)),
        _ => Ok(()),
    }
}

/// The replicas that have a namespace here.
pub(super) fn list(folder: &Path, prefix: &str) -> Result<Vec<ReplicaId>, NetworkError> {
    let entries = match std::fs::read_dir(folder) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(system("list", folder))?,
    };
    let name = |entry: io::Result<std::fs::DirEntry>| entry.ok().and_then(|it| it.file_name().into_string().ok());
    let replica = |name: String| name.strip_prefix(prefix)?.parse().ok().map(ReplicaId);
    let mut found: Vec<_> = entries.filter_map(name).filter_map(replica).collect();
    found.sort();
    Ok(found)
}

fn system(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NetworkError {
    let path = path.to_owned();
    move |source| NetworkError::System { doing, path, source }
}
