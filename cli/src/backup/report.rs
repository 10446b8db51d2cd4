//! What is said of a backup.

use std::fmt::Write as _;
use std::path::Path;

/// What a backup says of itself, after all of it was read and found whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Bytes of the file.
    pub size: u64,
    /// Id of the cluster that it was taken of.
    pub cluster: String,
    /// The last entry that is in it.
    pub index: u64,
    /// The term in which it was taken.
    pub term: u64,
    /// When, for people.
    pub created_at: String,
    /// Version of the program that wrote it.
    pub program: String,
    /// Version of the file format.
    pub format: u32,
    /// The cluster keys that are needed to read the secrets in it.
    pub keys: Vec<String>,
    /// Whether those keys are in it, under a passphrase.
    pub has_keyring: bool,
    /// How many objects are in it.
    pub objects: u64,
    /// How many of the kinds that people ask for.
    pub counts: Vec<(&'static str, u64)>,
}

impl BackupReport {
    /// One line on the file, and one on the keys.
    pub(super) fn summary(&self, path: &Path) -> String {
        format!(
            "wrote {}: {}, index {} of term {}, {} objects\n{}",
            path.display(),
            size(self.size),
            self.index,
            self.term,
            self.objects,
            self.keyring()
        )
    }

    /// All of it.
    pub(super) fn whole(&self, path: &Path) -> String {
        let mut text = format!("{} is whole\n\n", path.display());
        let keys = match self.keys.is_empty() {
            true => "none".to_owned(),
            false => self.keys.join(", "),
        };
        for (name, value) in [
            ("size", size(self.size)),
            ("cluster", self.cluster.clone()),
            ("taken at", self.created_at.clone()),
            ("index", format!("{} of term {}", self.index, self.term)),
            (
                "written by",
                format!("version {}, format {}", self.program, self.format),
            ),
            ("keys in use", keys),
            ("objects", self.objects.to_string()),
        ] {
            let _ = writeln!(text, "{name:12}  {value}");
        }
        for (kind, count) in &self.counts {
            let _ = writeln!(text, "  {kind:14}{count}");
        }
        let _ = write!(text, "\n{}", self.keyring());
        text
    }

    fn keyring(&self) -> String {
        let keys = match self.keys.as_slice() {
            [one] => format!("key {one}"),
            many => format!("keys {}", many.join(", ")),
        };
        match (self.keys.is_empty(), self.has_keyring) {
            (_, true) => {
                "The cluster's keys are in it, under the passphrase: without it they cannot be had.\n".to_owned()
            }
            (true, false) => "No values of secrets are in it.\n".to_owned(),
            (false, false) => format!(
                "Values of secrets in it are sealed by {keys}, which is NOT in it: to read them you need the file `keyring` of a \
                 node as well. Keep a copy of it elsewhere, or use --with-keyring.\n"
            ),
        }
    }
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let (mut tenths, mut unit) = (bytes * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1_600_000, "1.5 MiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_summary_says_plainly_that_the_keys_are_elsewhere() {
        let report = BackupReport {
            size: 2048,
            index: 7,
            term: 2,
            objects: 31,
            keys: vec!["1".to_owned(), "2".to_owned()],
            ..BackupReport::default()
        };
        let text = report.summary(Path::new("a.backup"));
        assert!(
            text.starts_with("wrote a.backup: 2.0 KiB, index 7 of term 2, 31 objects\n"),
            "{text}"
        );
        assert!(text.contains("sealed by keys 1, 2, which is NOT in it"), "{text}");
        let with = BackupReport {
            has_keyring: true,
            ..report
        };
        assert!(with.summary(Path::new("a.backup")).contains("under the passphrase"));
        assert!(with.whole(Path::new("a.backup")).contains("keys in use   1, 2\n"));
    }
}
