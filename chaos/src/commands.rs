//! What `chaos` can be asked for.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod lab;
mod run;

/// The demo of Goblins, and labs by hand.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts a cluster of three hosts, runs a service on it, takes the power from one host, and leaves it running.
    Demo,
    /// Stops and removes what `demo` started, also after one that failed half way.
    DemoStop,
    /// Figures: of the demo's steps, or of the control plane against etcd.
    Bench(bench::BenchCommand),
    /// Breaks a cluster by a seed while clients use it, and judges whether it kept its promises.
    Run(run::RunCommand),
    /// Hosts without anything on them, or with a cluster.
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// The first process of a host; the lab starts it.
    #[command(hide = true)]
    HostInit {
        #[arg(long)]
        name: String,
    },
}

/// Does it; an error is printed with all its causes and makes the exit code 1.
pub fn run(arguments: Arguments) -> ExitCode {
    if !matches!(arguments.command, Command::HostInit { .. })
        && let Err(error) = chaos::lab::clean_up_when_interrupted()
    {
        eprintln!("chaos: cannot listen for signals: {error}");
        return ExitCode::FAILURE;
    }
    let done = match arguments.command {
        Command::Demo => chaos::demo::run().map_err(anyhow::Error::from),
        Command::DemoStop => chaos::demo::stop().map_err(anyhow::Error::from),
        Command::Bench(command) => bench::run(command),
        Command::Run(command) => run::run(command),
        Command::Lab(command) => lab::run(command),
        Command::HostInit { name } => chaos::lab::init::run(&name).map_err(anyhow::Error::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}
