//! `chaos`: the demo, and labs by hand.

use clap::Parser;

mod commands;

fn main() -> std::process::ExitCode {
    // Fails only if it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    commands::run(commands::Arguments::parse())
}
