//! What is fuzzed.

use std::cell::OnceCell;
use std::path::Path;

use crate::seeds;

/// Something that reads bytes of others.
pub struct Target {
    /// Its name, also in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Must not panic, hang, or take all memory, whatever it is given.
    pub body: fn(&[u8]),
    /// What it should accept, and what is nearly so.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("json_body", api::fuzz::json, seeds::json),
    target("query_string", api::fuzz::query, seeds::query),
    target("path_ids", api::fuzz::path, seeds::path),
    target("accept_header", api::fuzz::accept, seeds::accept),
    target("proxy_head", proxy::fuzz::head, seeds::head),
    target("sealed_value", storage::fuzz::sealed, seeds::sealed),
    target("keyring_file", storage::fuzz::keyring, seeds::keyring),
    target("codec", storage::fuzz::codec, seeds::codec),
    target("raft_record", raft::fuzz::stored, seeds::stored),
    target("snapshot", storage::fuzz::snapshot, seeds::snapshot),
    target(
        "snapshot_behind_checksum",
        storage::fuzz::snapshot_with_checksum,
        seeds::snapshot_unchecked,
    ),
    target("backup", backup, seeds::backup),
    target(
        "backup_behind_checksum",
        backup_behind_checksum,
        seeds::backup_unchecked,
    ),
    target("join_token", raft::fuzz::join_token, seeds::join_token),
    target("dotenv", cli::fuzz::dotenv, seeds::dotenv),
];

/// The one of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|it| it.name == name)
}

/// Runs one over some bytes.
///
/// # Panics
/// When the bytes break something, and when there is none of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = find(name).unwrap_or_else(|| panic!("there is no target {name}"));
    (target.body)(data);
}

const fn target(name: &'static str, body: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, body, seeds }
}

fn backup(data: &[u8]) {
    in_folder(|folder| storage::fuzz::backup(data, folder));
}

fn backup_behind_checksum(data: &[u8]) {
    in_folder(|folder| storage::fuzz::backup_with_checksum(data, folder));
}

/// In a folder of this thread.
fn in_folder(body: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
    }
    FOLDER.with(|it| {
        body(
            it.get_or_init(|| tempfile::tempdir().expect("a folder for the fuzzer"))
                .path(),
        )
    });
}
