//! The data folder: whose it is, that nobody else uses it, and that it is whole.

mod credentials;

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use model::{ClusterId, NodeId};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

pub use self::credentials::CredentialsFile;
use crate::{DataDirError, KeyBundle, Keyring, atomic_file};

/// The folder format that this build writes and reads. Format 1 had no certificates and was never released.
const FORMAT: u32 = 2;

const IDENTITY: &str = "identity.json";
const KEYRING: &str = "keyring";
const CREDENTIALS: &str = "node.pem";
const LOCK: &str = "lock";
const LOG: &str = "log";
const STATE: &str = "state";
const SNAPSHOTS: &str = "snapshots";
/// What the containers of this host need; not consensus' business.
const HOST: &str = "host";
/// See [`crate::Room`].
pub(crate) const RESERVE: &str = "reserve";

/// Which node of which cluster a folder belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Which of its nodes.
    pub node: NodeId,
}

/// What `identity.json` holds.
#[derive(Serialize, Deserialize)]
struct IdentityFile {
    format: u32,
    cluster: ClusterId,
    node: NodeId,
    /// Whether the stores have been made. Until then nothing was promised to anybody, so what is there may be made anew;
    /// from then on a missing store is a loss.
    complete: bool,
    /// See [`DataDir::epoch`].
    #[serde(default, skip_serializing_if = "is_first")]
    epoch: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_first(epoch: &u64) -> bool {
    *epoch == 0
}

/// What only the format can be told of, whatever else the file holds.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// A folder after it was opened and locked.
#[derive(Debug)]
pub enum Folder {
    /// No node lives here yet.
    Vacant(VacantDir),
    /// A node lives here.
    Node(DataDir),
}

/// A locked folder in which no node lives yet.
#[derive(Debug)]
pub struct VacantDir {
    path: PathBuf,
    epoch: u64,
    lock: Flock<File>,
}

/// A locked folder with the identity and key of a node.
pub struct DataDir {
    path: PathBuf,
    identity: Identity,
    keyring: Keyring,
    complete: bool,
    epoch: u64,
    _lock: Flock<File>,
}

impl DataDir {
    /// Looks whether a folder could be opened, without writing anything: for those who put things beside ours and
    /// start first. One that does not exist yet can be.
    pub fn check(path: &Path) -> Result<(), DataDirError> {
        let found = match list(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => {
                return Err(DataDirError::Io {
                    doing: "read",
                    path: path.to_owned(),
                    source,
                });
            }
        };
        if found.iter().any(|name| name == IDENTITY) {
            read_identity(&path.join(IDENTITY)).map(drop)
        } else {
            require_vacant(path, &found)
        }
    }

    /// Opens a folder, made if need be, and locks it for as long as the result lives. Refuses a folder that is in use,
    /// damaged, not whole, of a newer format or somebody else's.
    pub fn open(path: &Path) -> Result<Folder, DataDirError> {
        let error = |doing, source| DataDirError::Io {
            doing,
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|it| error("create", it))?;
        let found = list(path).map_err(|it| error("read", it))?;
        // Before the lock is put there: nothing is written to somebody else's folder.
        let is_node = found.iter().any(|name| name == IDENTITY);
        if !is_node {
            require_vacant(path, &found)?;
        }
        let lock = lock(path)?;
        if !is_node {
            return Ok(Folder::Vacant(VacantDir {
                path: path.to_owned(),
                epoch: 0,
                lock,
            }));
        }
        let file = read_identity(&path.join(IDENTITY))?;
        let missing = |missing| DataDirError::Incomplete {
            path: path.to_owned(),
            missing,
        };
        let has = |wanted: &str| found.iter().any(|name| name == wanted);
        if !has(KEYRING) {
            return Err(missing(KEYRING));
        }
        if let Some(part) = [LOG, STATE].into_iter().find(|part| file.complete && !has(part)) {
            return Err(missing(part));
        }
        Ok(Folder::Node(Self {
            keyring: Keyring::load(&path.join(KEYRING), file.cluster)?,
            identity: Identity {
                cluster: file.cluster,
                node: file.node,
            },
            complete: file.complete,
            epoch: file.epoch,
            path: path.to_owned(),
            _lock: lock,
        }))
    }

    /// Whose folder this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The cluster's keys.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        self.keyring.clone()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the node proves with who it is.
    #[must_use]
    pub fn credentials(&self) -> CredentialsFile {
        CredentialsFile::new(self.path.join(CREDENTIALS))
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.path.join(LOG)
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path.join(STATE)
    }

    pub(crate) fn snapshot_dir(&self) -> PathBuf {
        self.path.join(SNAPSHOTS)
    }

    /// Whether its stores have been made.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// How often its cluster has been founded anew after its majority was lost. Nodes of different epochs have nothing to
    /// say to each other.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Notes that its stores have been made, from when on a missing one is refused, and what epoch they are of.
    pub(crate) fn set_complete(&mut self, epoch: u64) -> Result<(), DataDirError> {
        write_identity(&self.path, self.identity, true, epoch)?;
        (self.complete, self.epoch) = (true, epoch);
        Ok(())
    }
}

impl fmt::Debug for DataDir {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataDir")
            .field("path", &self.path)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl VacantDir {
    /// For a node that joins a cluster of this epoch.
    #[must_use]
    pub fn in_epoch(self, epoch: u64) -> Self {
        Self { epoch, ..self }
    }

    /// Makes it the folder of this node, with keys drawn for a new cluster, or with keys and credentials handed over by
    /// one. All files are synced before this returns, the identity last.
    pub fn claim(
        self,
        identity: Identity,
        keys: &KeyBundle,
        credentials: Option<&[u8]>,
    ) -> Result<DataDir, DataDirError> {
        let keyring = Keyring::create(&self.path.join(KEYRING), identity.cluster, keys);
        let keyring = keyring.map_err(|source| DataDirError::Keyring {
            path: self.path.clone(),
            source,
        })?;
        if let Some(content) = credentials {
            CredentialsFile::new(self.path.join(CREDENTIALS)).write(content)?;
        }
        write_identity(&self.path, identity, false, self.epoch)?;
        Ok(DataDir {
            path: self.path,
            identity,
            keyring,
            complete: false,
            epoch: self.epoch,
            _lock: self.lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Without an identity only an empty folder is free, or one where a claim was cut short before its last step.
fn require_vacant(path: &Path, found: &[String]) -> Result<(), DataDirError> {
    if found.iter().any(|name| name == LOG || name == STATE) {
        return Err(DataDirError::Incomplete {
            path: path.to_owned(),
            missing: IDENTITY,
        });
    }
    let ours = [
        LOCK,
        KEYRING,
        CREDENTIALS,
        HOST,
        RESERVE,
        "identity.tmp",
        "keyring.tmp",
        "node.tmp",
        "lost+found",
    ];
    match found.iter().find(|name| !ours.contains(&name.as_str())) {
        Some(foreign) => Err(DataDirError::Foreign {
            path: path.to_owned(),
            found: foreign.clone(),
        }),
        None => Ok(()),
    }
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    let names = std::fs::read_dir(path)?.map(|entry| entry.map(|it| it.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

fn lock(path: &Path) -> Result<Flock<File>, DataDirError> {
    let file = path.join(LOCK);
    let error = |source| DataDirError::Io {
        doing: "lock",
        path: file.clone(),
        source,
    };
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file)
        .map_err(error)?;
    Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => DataDirError::Locked(path.to_owned()),
        other => error(other.into()),
    })
}

fn read_identity(path: &Path) -> Result<IdentityFile, DataDirError> {
    let bytes = std::fs::read(path).map_err(|source| DataDirError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let damaged = |it: serde_json::Error| DataDirError::Damaged {
        path: path.to_owned(),
        reason: it.to_string(),
    };
    let FormatOnly { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if format < FORMAT {
        return Err(DataDirError::Older {
            path: path.to_owned(),
            found: format,
            known: FORMAT,
        });
    }
    if format > FORMAT {
        return Err(DataDirError::Newer {
            path: path.to_owned(),
            found: format,
            known: FORMAT,
        });
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}

fn write_identity(folder: &Path, identity: Identity, complete: bool, epoch: u64) -> Result<(), DataDirError> {
    let path = folder.join(IDENTITY);
    let file = IdentityFile {
        format: FORMAT,
        cluster: identity.cluster,
        node: identity.node,
        complete,
        epoch,
    };
    let error = |source| DataDirError::Io {
        doing: "write",
        path: path.clone(),
        source,
    };
    let mut bytes = serde_json::to_vec_pretty(&file).map_err(|it| error(it.into()))?;
    bytes.push(b'\n');
    atomic_file::write(&path, 0o600, &bytes).map_err(error)
}

#[cfg(test)]
mod tests;
