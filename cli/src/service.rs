//! `goblins service`

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::Value;

use crate::command::{Connection, client};
use crate::table::{plain, table};
use crate::workload::{self, Workload};

/// What can be done with services and workers as such.
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceCommand {
    /// List services and workers, and how they stand
    List {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show everything that is known of one, as JSON
    Show {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of a service or worker
        service: String,
    },
    /// Delete one, with its routes and deployments; its replicas are stopped
    Rm {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of a service or worker
        service: String,
        /// Really
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(command: ServiceCommand) -> Result<()> {
    match command {
        ServiceCommand::List { connection, json } => {
            let all = workload::all(&client(connection)?).await?;
            if json {
                println!("{}", Value::Array(all.into_iter().map(|it| it.shown).collect()));
            } else {
                print!("{}", render(&all));
            }
        }
        ServiceCommand::Show { connection, service } => {
            let found = workload::find(&client(connection)?, &service).await?;
            println!(
                "{}",
                serde_json::to_string_pretty(&found.shown).context("cannot print")?
            );
        }
        ServiceCommand::Rm {
            connection,
            service,
            yes,
        } => {
            let client = client(connection)?;
            let found = workload::find(&client, &service).await?;
            if !yes {
                bail!(
                    "this deletes the {} {} with its routes and deployments; add --yes to do it",
                    found.kind.word(),
                    found.name()
                );
            }
            client.delete(&found.path()).await?;
            println!("deleted {}", found.name());
        }
    }
    Ok(())
}

fn render(all: &[Workload]) -> String {
    let mut rows = vec![["NAME", "KIND", "STATUS", "READY", "VERSION", "IMAGE", "REASON"].map(str::to_owned)];
    rows.extend(all.iter().map(|it| {
        let shown = &it.shown;
        [
            it.name(),
            it.kind.word().to_owned(),
            plain(&shown["status"]),
            format!(
                "{}/{}",
                plain(&shown["replicas_running"]),
                plain(&shown["replicas_target"])
            ),
            plain(&shown["version"]),
            plain(&shown["image"]),
            plain(&shown["status_reason"]),
        ]
    }));
    table(&rows)
}
