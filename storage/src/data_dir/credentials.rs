//! The file with which a node proves to others who it is.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{DataDirError, atomic_file};

/// The private key of a node, its certificate and the authority's, as PEM. What it says is not looked at here.
#[derive(Clone, Debug)]
pub struct CredentialsFile(PathBuf);

impl CredentialsFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its content; `None` if there is no such file.
    pub fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, DataDirError> {
        match std::fs::read(&self.0) {
            Ok(content) => Ok(Some(Zeroizing::new(content))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.error("read", source)),
        }
    }

    /// Replaces it, readable by its owner only. Synced before this returns.
    pub fn write(&self, content: &[u8]) -> Result<(), DataDirError> {
        atomic_file::write(&self.0, 0o600, content).map_err(|source| self.error("write", source))
    }

    fn error(&self, doing: &'static str, source: io::Error) -> DataDirError {
        DataDirError::Io {
            doing,
            path: self.0.clone(),
            source,
        }
    }
}
