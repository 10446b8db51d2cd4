//! The first program of a container that gets secrets: it puts them into the environment and becomes the container's own
//! program. Values so come from memory into a process without being part of the container's description, which containerd
//! and runc keep on the disk.
//!
//! `goblins-launcher KEY ... -- PROGRAM ARGUMENT ...`
//!
//! Built static and without dependencies, since it has to run in every image. It stays the same process throughout, so
//! that the program keeps its number, its standard streams and its signals.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Where the host mounts the values, a file for each key.
const FOLDER: &str = "/run/secrets";
/// Linux takes no longer variable than this, name, `=` and the final zero included (`MAX_ARG_STRLEN`).
const LONGEST_VARIABLE: usize = 128 * 1024;
/// What shells answer where a program is not there, and where it cannot be run.
const NOT_FOUND: u8 = 127;
const CANNOT_RUN: u8 = 126;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let keys: Vec<OsString> = args.by_ref().take_while(|it| it != "--").collect();
    let Some(program) = args.next() else {
        return failed("cannot run a container: it names no program", CANNOT_RUN);
    };
    let mut command = Command::new(&program);
    command.args(args);
    for key in keys {
        match fs::read(Path::new(FOLDER).join(&key)) {
            Ok(value) if fits(&key, &value) => {
                command.env(key, OsString::from_vec(value));
            }
            // It is there as a file all the same.
            Ok(_) => {
                command.env_remove(key);
            }
            Err(error) => {
                let text = format!("cannot read {FOLDER}/{}: {error}", key.display());
                return failed(&text, CANNOT_RUN);
            }
        }
    }
    let error = command.exec();
    let (remedy, code) = remedy(&error);
    failed(&format!("cannot run `{}`: {remedy}", program.display()), code)
}

/// Whether it can be a variable at all.
fn fits(key: &OsStr, value: &[u8]) -> bool {
    key.len() + value.len() + 2 <= LONGEST_VARIABLE && !value.contains(&0)
}

/// The agent knows by these first words that it was not the program itself that ended.
fn failed(text: &str, code: u8) -> ExitCode {
    eprintln!("goblins-launcher: {text}");
    ExitCode::from(code)
}

fn remedy(error: &Error) -> (String, u8) {
    match error.kind() {
        ErrorKind::NotFound => (
            "it is not in the image; check the service's command, and the image's entrypoint".to_owned(),
            NOT_FOUND,
        ),
        ErrorKind::PermissionDenied => (
            "it is not executable in the image; set its mode with chmod +x and build the image again".to_owned(),
            CANNOT_RUN,
        ),
        ErrorKind::ArgumentListTooLong => (
            format!(
                "its environment is larger than Linux takes; attach a secret with fewer or shorter values ({error})"
            ),
            CANNOT_RUN,
        ),
        _ => (error.to_string(), CANNOT_RUN),
    }
}
