//! Compiles the server inside the test images: one static file, by plain `rustc`, kept as long as its source is the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{ImageError, digest};
use crate::command;
use crate::paths;

const SOURCE: &str = include_str!("../../testserver/main.rs");

/// The program's bytes.
pub(super) fn program() -> Result<Vec<u8>, ImageError> {
    let name = digest(SOURCE.as_bytes()).replace("sha256:", "testserver-");
    let built = paths::cache().join(name);
    if !built.exists() {
        compile(&built)?;
    }
    fs::read(&built).map_err(|error| ImageError::File(built, error))
}

fn compile(built: &Path) -> Result<(), ImageError> {
    let folder = built.parent().unwrap_or(Path::new("/"));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| ImageError::File(path, error)
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let work = tempfile::tempdir_in(folder).map_err(failed(folder))?;
    let (source, program) = (work.path().join("testserver.rs"), work.path().join("testserver"));
    fs::write(&source, SOURCE).map_err(failed(&source))?;
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args([
        "--edition",
        "2024",
        "-O",
        "-C",
        "target-feature=+crt-static",
        "-C",
        "strip=symbols",
        "-o",
    ]);
    command::run(rustc.arg(&program).arg(&source))?;
    // Into place at once: another test may look for it at the same time.
    fs::rename(&program, built).map_err(failed(built))
}
