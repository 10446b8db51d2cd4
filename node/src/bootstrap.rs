//! The first API key of a new cluster.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use rand::Rng;
use rand::distr::Alphanumeric;
use ring::digest::{SHA256, digest};

/// Letters and digits; 43 of 62 kinds are 256 bits.
const LENGTH: usize = 43;

/// A new API key. It is shown or written once, and only its hash is kept.
pub(crate) struct FirstKey(String);

impl FirstKey {
    pub(crate) fn random() -> Self {
        let text: String = rand::rng()
            .sample_iter(Alphanumeric)
            .take(LENGTH)
            .map(char::from)
            .collect();
        Self(format!("gob_{text}"))
    }

    /// SHA-256 of the key.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        hash
    }

    /// Writes it to a file that only its owner can read, replacing what an attempt that failed has left there.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let context = || format!("cannot write the first API key to {}", path.display());
        let partial = path.with_extension("partial");
        let _ = fs::remove_file(&partial);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .with_context(context)?;
        writeln!(file, "{}", self.0)
            .and_then(|()| file.sync_all())
            .with_context(context)?;
        fs::rename(&partial, path).with_context(context)
    }

    /// Prints it, for want of a file.
    pub(crate) fn print(&self) {
        println!("API key, shown only now: {}", self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_reads_the_file_and_an_old_one_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "old").expect("written");
        let key = FirstKey::random();
        key.write(&path).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("readable").trim(), key.0);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }
}
