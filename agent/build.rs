//! Builds the small programs that the agent carries within itself, static and without dependencies: the launcher, which is
//! mounted into containers with secrets and has to run in every image, and the logger, which runs beside every container.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    for name in ["launcher", "logger"] {
        if let Err(why) = build(name) {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn build(name: &str) -> Result<(), String> {
    let source = format!("{name}/main.rs");
    println!("cargo::rerun-if-changed={source}");
    let variable = |name: &str| env::var_os(name).unwrap_or_default();
    let program = PathBuf::from(variable("OUT_DIR")).join(format!("goblins-{name}"));
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--edition", "2024", "--crate-name"]);
    rustc.arg(format!("goblins_{name}")).arg(&source).arg("--target");
    rustc.arg(variable("TARGET")).arg("-o").arg(&program);
    for option in [
        "target-feature=+crt-static",
        "opt-level=s",
        "panic=abort",
        "strip=symbols",
        "lto=fat",
    ] {
        rustc.args(["-C", option]);
    }
    // Cargo says so where another linker is configured, as it is for other processors.
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    match rustc.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "{source} cannot be built static ({status}); is the C library's libc.a there (libc6-dev)?"
        )),
        Err(error) => Err(format!("rustc cannot be started: {error}")),
    }
}
