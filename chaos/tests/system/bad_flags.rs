//! What the daemon refuses before it does anything. No hosts are needed: it must end by itself, and soon.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use chaos::{command, paths};

/// The promise is 10 s; a loaded machine gets more before the test calls it a hang.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs `goblins server` in `folder` with addresses that are free unless `flags` gives others.
fn refused(folder: &Path, flags: &[&str]) -> String {
    let mut goblins = Command::new(paths::goblins().unwrap());
    goblins
        .args(["server", "--no-agent"])
        .args(flags)
        .env_remove("GOBLINS_DATA_DIR");
    if !flags.contains(&"--data-dir") {
        goblins.arg("--data-dir").arg(folder.join("data"));
    }
    for flag in ["--api-addr", "--peer-addr", "--http-addr"] {
        if !flags.contains(&flag) {
            goblins.args([flag, &free_address()]);
        }
    }
    let Output { status, stdout, stderr } = command::output(&mut goblins, DEADLINE).unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(!status.success(), "accepted: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// An address on loopback that nobody had a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn says(folder: &Path, flags: &[&str], words: &[&str]) {
    let said = refused(folder, flags);
    for word in words {
        assert!(said.contains(word), "no `{word}` in what it says to {flags:?}:\n{said}");
    }
}

#[test]
fn wrong_flags_are_named() {
    let folder = tempfile::tempdir().unwrap();
    says(folder.path(), &["--no-such-flag"], &["--no-such-flag"]);
    says(folder.path(), &["--api-addr", "nonsense"], &["nonsense", "--api-addr"]);
    says(
        folder.path(),
        &["--peer-addr", "127.0.0.1:99999"],
        &["127.0.0.1:99999", "--peer-addr"],
    );
    says(
        folder.path(),
        &["--api-rate-limit", "many"],
        &["many", "--api-rate-limit"],
    );
    says(
        folder.path(),
        &["--config", "/no/such/file.toml"],
        &["/no/such/file.toml"],
    );
    let config = folder.path().join("goblins.toml");
    fs::write(&config, "no-such-setting = 1\n").unwrap();
    says(
        folder.path(),
        &["--config", &config.display().to_string()],
        &["no-such-setting"],
    );
}

#[test]
fn an_address_of_another_machine_or_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // From the range for documentation: no machine has it.
    says(folder.path(), &["--api-addr", "192.0.2.1:7400"], &["192.0.2.1:7400"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--api-addr", "--peer-addr", "--http-addr"] {
        says(folder.path(), &[flag, &address], &[&address, "in use"]);
    }
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let file = file.display().to_string();
    says(folder.path(), &["--data-dir", &file], &[&file]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "not yours").unwrap();
    let foreign_text = foreign.display().to_string();
    says(folder.path(), &["--data-dir", &foreign_text], &[&foreign_text]);
    assert_eq!(
        fs::read_dir(&foreign).unwrap().count(),
        1,
        "something was written to a foreign folder"
    );

    says(
        folder.path(),
        &["--data-dir", "/proc/no/such/folder"],
        &["/proc/no/such/folder"],
    );
}

#[test]
fn joining_needs_both_an_address_and_a_token() {
    let folder = tempfile::tempdir().unwrap();
    says(folder.path(), &["--join", "127.0.0.1:1"], &["--token"]);
    says(folder.path(), &["--token", "x"], &["--join"]);
    says(folder.path(), &["--join", "nonsense", "--token", "x"], &["nonsense"]);
}
