//! `goblins leader`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::command::{Connection, client};
use crate::node;
use crate::table::plain;

/// What can be done about who leads.
#[derive(Clone, Debug, Subcommand)]
pub enum LeaderCommand {
    /// Let another voter lead, which costs no election
    Transfer {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node that is to lead [default: the voter that is furthest]
        #[arg(long, value_name = "NODE")]
        to: Option<String>,
    },
}

pub(crate) async fn run(command: LeaderCommand) -> Result<()> {
    let LeaderCommand::Transfer { connection, to } = command;
    let client = client(connection)?;
    let body = match to {
        Some(to) => json!({ "to": node::find(&client, &to).await?["id"] }),
        None => json!({}),
    };
    let cluster = client.post("/api/cluster/leader/", &body).await?;
    println!(
        "{} leads, in term {}",
        plain(&cluster["leader"]["name"]),
        plain(&cluster["term"])
    );
    Ok(())
}
