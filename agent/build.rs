//! Builds the launcher that is mounted into containers with secrets: static, as it has to run in every image. The agent
//! carries the program within itself.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const SOURCE: &str = "launcher/main.rs";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={SOURCE}");
    let variable = |name: &str| env::var_os(name).unwrap_or_default();
    let program = PathBuf::from(variable("OUT_DIR")).join("goblins-launcher");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args([
        "--edition",
        "2024",
        "--crate-name",
        "goblins_launcher",
        SOURCE,
        "--target",
    ]);
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
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("{SOURCE} cannot be built static ({status}); is the C library's libc.a there (libc6-dev)?");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("rustc cannot be started: {error}");
            ExitCode::FAILURE
        }
    }
}
