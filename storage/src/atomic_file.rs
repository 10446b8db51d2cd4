//! Files that are either wholly there or not at all, also after a power cut.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Suffix of files that are not finished; whoever finds one at start may delete it.
pub(crate) const UNFINISHED: &str = "tmp";

/// Replaces a file: written aside, synced, renamed, and the folder synced.
pub(crate) fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    // What an earlier attempt left may have another mode.
    remove_unfinished(path)?;
    let aside = path.with_extension(UNFINISHED);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    sync_parent(path)
}

/// Removes what a write of this file that was cut short left.
pub(crate) fn remove_unfinished(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path.with_extension(UNFINISHED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a rename or removal in the folder of `path` last.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes what was made, renamed or removed in a folder last.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
