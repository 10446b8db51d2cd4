//! The cluster key in a file: one line, a version and 64 hex digits.

use std::path::Path;

use crate::{DataDirError, atomic_file};

const VERSION: &str = "goblins-key-1:";

/// Writes the key so that only its owner can read it.
pub(crate) fn write(path: &Path, key: &[u8; 32]) -> Result<(), DataDirError> {
    let text = format!("{VERSION}{}\n", hex::encode(key));
    atomic_file::write(path, 0o600, text.as_bytes()).map_err(|source| DataDirError::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

/// Reads the key. Errors never contain any of it.
pub(crate) fn read(path: &Path) -> Result<[u8; 32], DataDirError> {
    let text = std::fs::read_to_string(path).map_err(|source| DataDirError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let damaged = |reason: &str| DataDirError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let digits = text
        .trim_end()
        .strip_prefix(VERSION)
        .ok_or_else(|| damaged("it is not a key of a known version"))?;
    let mut key = [0; 32];
    hex::decode_to_slice(digits, &mut key).map_err(|_| damaged("the key is not 64 hex digits"))?;
    Ok(key)
}
