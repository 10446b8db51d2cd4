//! `goblins node`

mod voting;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::command::{Connection, client};
use crate::table::{plain, table};

/// What can be done with nodes.
#[derive(Clone, Debug, Subcommand)]
pub enum NodeCommand {
    /// List the nodes
    List {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Place nothing new on a node; what runs there stays
    Cordon {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node
        node: String,
    },
    /// Place replicas on a node again
    Uncordon {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node
        node: String,
    },
    /// Move all replicas away from a node, each once another serves
    Drain {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node
        node: String,
    },
    /// End a drain
    Undrain {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node
        node: String,
    },
    /// Have a node vote before others, as far as that costs no safety
    Promote {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node
        node: String,
        /// Leave its vote to the cluster again
        #[arg(long)]
        auto: bool,
    },
    /// Have a node not vote any more; it goes on as a learner
    Demote {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node
        node: String,
        /// Leave its vote to the cluster again
        #[arg(long)]
        auto: bool,
    },
    /// Remove a node from the cluster for good. Rotate the cluster key afterwards if its host is no longer trusted
    Remove {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Name or id of the node
        node: String,
    },
}

pub(crate) async fn run(command: NodeCommand) -> Result<()> {
    match command {
        NodeCommand::List { connection, json } => {
            let nodes = client(connection)?.list("/api/nodes/").await?;
            if json {
                println!("{}", Value::Array(nodes));
            } else {
                print!("{}", render(&nodes));
            }
        }
        NodeCommand::Cordon { connection, node } => {
            set(
                &client(connection)?,
                &node,
                ("schedulable", false),
                "takes no new replicas",
            )
            .await?;
        }
        NodeCommand::Uncordon { connection, node } => {
            set(&client(connection)?, &node, ("schedulable", true), "takes new replicas").await?;
        }
        NodeCommand::Drain { connection, node } => {
            set(&client(connection)?, &node, ("draining", true), "is being drained").await?;
        }
        NodeCommand::Undrain { connection, node } => {
            set(&client(connection)?, &node, ("draining", false), "is no longer drained").await?;
        }
        NodeCommand::Promote { connection, node, auto } => {
            voting::set(&client(connection)?, &node, if auto { "auto" } else { "always" }).await?;
        }
        NodeCommand::Demote { connection, node, auto } => {
            voting::set(&client(connection)?, &node, if auto { "auto" } else { "never" }).await?;
        }
        NodeCommand::Remove { connection, node } => {
            let client = client(connection)?;
            let found = find(&client, &node).await?;
            client.delete(&path(&found)).await?;
            println!("removed {}", plain(&found["name"]));
        }
    }
    Ok(())
}

async fn set(client: &Client, node: &str, (field, value): (&str, bool), said: &str) -> Result<()> {
    let found = find(client, node).await?;
    client.patch(&path(&found), &json!({ field: value })).await?;
    println!("{} {said}", plain(&found["name"]));
    Ok(())
}

fn path(node: &Value) -> String {
    format!("/api/nodes/{}/", plain(&node["id"]))
}

pub(crate) async fn find(client: &Client, wanted: &str) -> Result<Value> {
    let nodes = client.list("/api/nodes/").await?;
    let names: Vec<_> = nodes.iter().map(|it| plain(&it["name"])).collect();
    let fits = |it: &&Value| plain(&it["name"]) == wanted || plain(&it["id"]) == wanted;
    let mut found = nodes.iter().filter(fits);
    let node = found
        .next()
        .with_context(|| format!("there is no node {wanted}; there are: {}", names.join(", ")))?;
    if found.next().is_some() {
        bail!("{wanted} is the name of one node and the id of another: use the ids");
    }
    Ok(node.clone())
}

fn render(nodes: &[Value]) -> String {
    let mut rows = vec![["ID", "NAME", "STATE", "ROLE", "VOTING", "REPLICAS", "API", "VERSION"].map(str::to_owned)];
    rows.extend(nodes.iter().map(|node| {
        let state = if node["draining"] == true {
            format!("{}, draining", plain(&node["state"]))
        } else if node["schedulable"] == false {
            format!("{}, cordoned", plain(&node["state"]))
        } else {
            plain(&node["state"])
        };
        [
            plain(&node["id"]),
            plain(&node["name"]),
            state,
            plain(&node["role"]),
            plain(&node["voting"]),
            plain(&node["allocated"]["replicas"]),
            plain(&node["api_url"]),
            plain(&node["version"]),
        ]
    }));
    table(&rows)
}
