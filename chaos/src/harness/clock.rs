//! A wall clock that can jump, by libfaketime in front of the daemon's C library.

use std::fs;
use std::path::{Path, PathBuf};

use super::HarnessError;
use crate::fault::Host;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Whether this machine can do it.
pub(super) fn available() -> bool {
    Path::new(LIBRARY).exists()
}

fn file(folder: &Path, host: Host) -> PathBuf {
    folder.join(format!("h{host}.clock"))
}

/// Sets the clock of a host's daemon off by so many seconds; it follows within a second.
pub(super) fn set(folder: &Path, host: Host, seconds: i64) -> Result<(), HarnessError> {
    let (path, new) = (file(folder, host), folder.join(format!("h{host}.clock.new")));
    let written = fs::write(&new, format!("{seconds:+}\n")).and_then(|()| fs::rename(&new, &path));
    written.map_err(|source| HarnessError::Folder(path, source))
}

/// What the daemon is started with.
pub(super) fn environment(folder: &Path, host: Host) -> Vec<(String, String)> {
    [
        ("LD_PRELOAD", LIBRARY.to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file(folder, host).display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        // Timers and elections run on it, as on a machine whose administrator sets the date.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
