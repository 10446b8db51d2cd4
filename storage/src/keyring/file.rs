//! The keyring's file: read once, replaced whole.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use model::ClusterId;
use zeroize::Zeroizing;

use super::document::{self, BadDocument};
use super::ring::Ring;
use super::{KeyringError, aead};
use crate::{DataDirError, atomic_file};

/// Only its owner may read it.
const MODE: u32 = 0o600;
/// No keyring is longer: some thousands of keys.
const LONGEST: u64 = 1 << 20;

/// Reads it, and removes what a write that was cut short left beside it.
pub(super) fn read(path: &Path, cluster: ClusterId) -> Result<Ring, DataDirError> {
    let failed = |doing| {
        move |source| DataDirError::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    };
    atomic_file::remove_unfinished(path).map_err(failed("remove what is left beside"))?;
    let bytes = bytes(path).map_err(failed("read"))?;
    document::parse(&bytes, cluster).map_err(|bad| match bad {
        BadDocument::Newer { found, known } => DataDirError::Newer {
            path: path.to_owned(),
            found,
            known,
        },
        BadDocument::OtherCluster(found) => DataDirError::ForeignKeyring {
            path: path.to_owned(),
            found,
            expected: cluster,
        },
        BadDocument::Damaged(reason) => DataDirError::Damaged {
            path: path.to_owned(),
            reason: reason.to_owned(),
        },
    })
}

/// Replaces it; when this returns, it is on the disk.
pub(super) fn write(path: &Path, ring: &Ring) -> Result<(), KeyringError> {
    let nonce = aead::random().ok_or(KeyringError::NoRandomness)?;
    let text = document::print(ring, nonce)?;
    let written = atomic_file::write(path, MODE, text.as_bytes());
    written.map_err(|source| KeyringError::Write {
        path: path.to_owned(),
        source,
    })
}

fn bytes(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if about.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the keyring; now only its owner can");
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    // As much as there is and one byte more, so that the buffer is not moved and left behind.
    let length = about.len().min(LONGEST);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 64));
    (&mut file).take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
