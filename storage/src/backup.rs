//! A backup: the whole state in one file that another cluster can be made from. Values of secrets stay sealed in it.
//!
//! ```text
//! "GOBBACK\n" | length (4 bytes, big-endian) | header, JSON
//!             | length (4 bytes, big-endian; 0: there is none) | keyring document under a passphrase
//!             | a snapshot
//!             | "GOBBKEND" | SHA-256 of all that
//! ```
//!
//! Every version of the format begins with the magic bytes and a header that says its `format`, and ends with the end mark
//! and the checksum, so that a file that was cut short, one that was altered and one of a newer version are told apart.

mod error;
mod read;

use std::io::{self, Write};
use std::path::Path;

use model::{ClusterId, KeyVersion, Revision, State, Timestamp};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

pub use self::error::BackupError;
pub use self::read::Backup;
use crate::snapshot::format;
use crate::{Meta, StorageError};

const MAGIC: &[u8; 8] = b"GOBBACK\n";
const END: &[u8; 8] = b"GOBBKEND";
const CHECKSUM_BYTES: usize = 32;
/// The version that this build writes, and the newest that it reads.
const FORMAT: u32 = 1;
/// What errors of writing name: where the bytes end up is not known here.
const NAME: &str = "the backup";

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    /// Of the file.
    pub format: u32,
    /// Whose state it is.
    pub cluster: ClusterId,
    /// The last entry that is in it.
    pub index: Revision,
    /// The term in which it was taken.
    pub term: u64,
    /// When, in microseconds since 1970.
    pub created_at: Timestamp,
    /// Version of the program that wrote it.
    pub program: String,
    /// The cluster keys that the values of secrets in it are sealed under, in order. Without them those cannot be read.
    pub keys: Vec<KeyVersion>,
    /// How many objects are in it.
    pub objects: u64,
}

impl BackupHeader {
    /// Of a backup of this state.
    #[must_use]
    pub fn of(state: &State, cluster: ClusterId, term: u64, created_at: Timestamp, program: &str) -> Self {
        Self {
            format: FORMAT,
            cluster,
            index: state.revision(),
            term,
            created_at,
            program: program.to_owned(),
            keys: state.key_versions().into_iter().collect(),
            objects: state.resources().count() as u64,
        }
    }
}

/// Writes a whole backup, piece by piece. `keyring` is a document from
/// [`KeyBundle::to_document`](crate::KeyBundle::to_document).
pub fn write_backup(
    to: impl Write,
    header: &BackupHeader,
    keyring: Option<&str>,
    state: &State,
) -> Result<(), StorageError> {
    let path = Path::new(NAME);
    let failed = |source| StorageError::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    };
    let mut out = Digesting {
        to,
        digest: Context::new(&SHA256),
    };
    let json = serde_json::to_vec(header).map_err(|it| failed(it.into()))?;
    out.write_all(MAGIC).map_err(failed)?;
    out.part(&json).map_err(failed)?;
    out.part(keyring.unwrap_or_default().as_bytes()).map_err(failed)?;
    let meta = Meta {
        revision: state.revision(),
        now: state.now(),
        // Who voted, and where consensus stood, is of no use to another cluster.
        consensus: Vec::new(),
    };
    format::write(&mut out, path, header.cluster, state, &meta)?;
    out.write_all(END).map_err(failed)?;
    let checksum = out.digest.clone().finish();
    out.write_all(checksum.as_ref()).map_err(failed)?;
    out.flush().map_err(failed)
}

struct Digesting<W> {
    to: W,
    digest: Context,
}

impl<W: Write> Digesting<W> {
    /// Bytes with their length before them.
    fn part(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.write_all(&length.to_be_bytes())?;
        self.write_all(bytes)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests;
