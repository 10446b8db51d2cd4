//! The commands and the flags that all of them share.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::ca::CaCommand;
use crate::client::Client;
use crate::cluster::ClusterCommand;
use crate::deploy::{DeployArgs, RestartArgs, RollbackArgs, ScaleArgs};
use crate::exec::ExecArgs;
use crate::explain::ExplainArgs;
use crate::history::HistoryArgs;
use crate::keyring::KeyringCommand;
use crate::leader::LeaderCommand;
use crate::logs::LogsArgs;
use crate::node::NodeCommand;
use crate::ps::PsArgs;
use crate::secret::SecretCommand;
use crate::service::ServiceCommand;
use crate::{
    ca, cluster, deploy, exec, explain, history, keyring, leader, logs, node, ps, secret, service, status, token,
};

/// How clients find the cluster and show who they are.
#[derive(Clone, Debug, Args)]
pub struct Connection {
    /// Where any node's API listens
    #[arg(
        long,
        env = "GOBLINS_API",
        value_name = "URL",
        default_value = "http://127.0.0.1:7400"
    )]
    pub(crate) api: String,
    /// An API key
    #[arg(long, env = "GOBLINS_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

/// What a client can ask for.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show the cluster's nodes, leader, term and indexes
    Status {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a service or worker, or make one, and wait until it is deployed. Ends with 0 once it is, with 1 if that failed,
    /// and with 2 if the end is not known
    Deploy(Box<DeployArgs>),
    /// Bring an earlier version of a service or worker back. Ends as `deploy` does
    Rollback(Box<RollbackArgs>),
    /// Show the versions of a service or worker: what became of each, and what it runs
    History(HistoryArgs),
    /// Say how many replicas of services or workers are wanted. Ends as `deploy` does
    Scale(Box<ScaleArgs>),
    /// Replace every replica of a service or worker by a new one of the same version, a few at a time. Ends as `deploy` does
    Restart(Box<RestartArgs>),
    /// Show the replicas of all services and workers, or of one
    Ps(PsArgs),
    /// Say why each replica of a service or worker is where it is or has no place, and what would help
    Explain(ExplainArgs),
    /// Services and workers
    #[command(subcommand, visible_alias = "services")]
    Service(ServiceCommand),
    /// Show what replicas of a service or worker print, on all nodes. Ends with 1 if lines are known to be missing
    Logs(Box<LogsArgs>),
    /// Run a command beside a replica, with its environment, user and folder. Ends as the command does; with 125 if it was
    /// not run or its end is not known
    Exec(Box<ExecArgs>),
    /// Tokens that let hosts join
    #[command(subcommand)]
    Token(TokenCommand),
    /// The keys that all secrets are sealed with, and the passphrase that guards them
    #[command(subcommand)]
    Keyring(KeyringCommand),
    /// The authority that certifies the nodes
    #[command(subcommand)]
    Ca(CaCommand),
    /// Secrets and their items
    #[command(subcommand)]
    Secret(SecretCommand),
    /// The cluster's nodes
    #[command(subcommand)]
    Node(NodeCommand),
    /// Who leads the cluster
    #[command(subcommand)]
    Leader(LeaderCommand),
    /// The cluster as a whole
    #[command(subcommand)]
    Cluster(ClusterCommand),
}

/// What can be done with join tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a join token and print it; it is shown only once
    Create {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// How long it can be used, such as 90s, 30m, 12h or 7d
        #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
        ttl: Duration,
        /// How many hosts may join with it
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
    },
}

/// Runs a client command to its end. Answers how the process is to end: 0, unless the command says more by that.
///
/// # Errors
/// When the cluster cannot be reached, refuses, or answers something unexpected; the text says which and what to do.
pub fn run(command: Command) -> Result<u8> {
    block_on(async {
        match command {
            Command::Cluster(command) => return cluster::run(command).await,
            Command::Deploy(args) => return deploy::deploy(*args).await,
            Command::Rollback(args) => return deploy::rollback(*args).await,
            Command::Scale(args) => return deploy::scale(*args).await,
            Command::Restart(args) => return deploy::restart(*args).await,
            Command::Exec(args) => return exec::run(*args).await,
            Command::Logs(args) => return logs::run(*args).await,
            Command::Status { connection, json } => status::show(&client(connection)?, json).await,
            Command::Token(TokenCommand::Create { connection, ttl, uses }) => {
                token::create(&client(connection)?, ttl, uses).await
            }
            Command::Keyring(command) => keyring::run(command).await,
            Command::Ca(command) => ca::run(command).await,
            Command::Leader(command) => leader::run(command).await,
            Command::Secret(command) => secret::run(command).await,
            Command::Node(command) => node::run(command).await,
            Command::Explain(args) => explain::run(args).await,
            Command::History(args) => history::run(args).await,
            Command::Ps(args) => ps::run(args).await,
            Command::Service(command) => service::run(command).await,
        }?;
        Ok(0)
    })
}

/// Runs what has to wait for a cluster.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let result = runtime.block_on(work);
    // Standard input may be waited for; nobody is to press a key for that.
    runtime.shutdown_background();
    result
}

/// A client for these flags.
pub(crate) fn client(connection: Connection) -> Result<Client> {
    match connection.key {
        Some(key) => Client::new(&connection.api, &key),
        None => {
            bail!("give an API key with --key or GOBLINS_API_KEY; the first node wrote or printed one when it began")
        }
    }
}

pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit, such as 90s, 30m, 12h or 7d".to_owned();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let span = number.checked_mul(seconds).filter(|it| *it > 0).ok_or_else(wrong)?;
    Ok(Duration::from_secs(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in [
            "",
            "h",
            "90",
            "1w",
            "-1h",
            "0s",
            "1.5h",
            "99999999999999999999d",
            "999999999999999999d",
        ] {
            assert!(span(wrong).is_err(), "{wrong:?} is no span");
        }
    }
}
