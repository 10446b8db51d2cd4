//! The `goblins` binary: `server` and `dev` run a node, everything else is a client of one.

mod adapters;
mod agenda;
mod authority;
mod backup;
mod bootstrap;
mod controllers;
mod explain;
mod feeds;
mod hosts;
mod images;
mod join;
mod keyring;
mod metrics;
mod recover;
mod restore;
mod server;
mod settings;
mod telemetry;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use settings::{DevArgs, ServerArgs};

/// See `docs/adr/0012-memory-comes-from-jemalloc.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A daemon that ends with it is not to be started again; the unit file in `docs/operations.md` says so to systemd.
const DEPARTED: u8 = 3;

/// Runs containers on your own machines: one binary a host, no other servers.
#[derive(Debug, Parser)]
#[command(name = "goblins", version, propagate_version = true, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node of a cluster. On an empty folder and without --join it founds a cluster of one.
    Server(Box<ServerArgs>),
    /// Join a cluster as a new node, and run it: as `server --join`, which says what it does
    Join(Box<join::JoinArgs>),
    /// Run a cluster of one on loopback, to try things out.
    Dev(DevArgs),
    /// Write the whole state of the cluster to a file, from any node while it runs; or check such a file
    Backup(Box<cli::BackupArgs>),
    /// Make a new cluster of one node from a backup, in a folder that is empty or not there yet
    Restore(restore::RestoreArgs),
    /// Find out what is left when a majority of the voters is lost for good, and found the cluster anew with one survivor.
    /// Works on the data folder of a daemon that is stopped.
    Recover(recover::RecoverArgs),
    #[command(flatten)]
    Client(cli::Command),
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = storage::harden() {
        eprintln!("goblins: {:#}", anyhow::Error::from(error));
        return ExitCode::FAILURE;
    }
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("goblins: another TLS provider was installed before ours; this is a bug");
        return ExitCode::FAILURE;
    }
    let result = match args.command {
        Command::Server(args) => settings::Settings::from_server(*args).and_then(server::run).map(|()| 0),
        Command::Join(args) => join::settings(*args).and_then(server::run).map(|()| 0),
        Command::Dev(args) => settings::Settings::from_dev(args).and_then(server::run).map(|()| 0),
        Command::Backup(args) => cli::backup(*args, backup::inspect).map(|()| 0),
        Command::Restore(args) => restore::run(args).map(|()| 0),
        Command::Recover(args) => recover::run(&args).map(|()| 0),
        Command::Client(command) => cli::run(command),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("goblins: {error:#}");
            if error.is::<server::Departed>() {
                ExitCode::from(DEPARTED)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
