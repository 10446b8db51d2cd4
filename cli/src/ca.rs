//! `goblins ca`

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::command::{Connection, client};
use crate::table::{plain, table};

/// What can be done with the cluster's certificate authority.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Show which authority signs, who has certified each node, and what a rotation waits for
    Status {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace the authority while everything goes on; the cluster goes on with it by itself
    Rotate {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Wait until it is done, saying what it waits for
        #[arg(long)]
        wait: bool,
    },
}

/// Digits of a fingerprint that are shown: enough to tell two apart.
const SHOWN: usize = 16;
/// How often a rotation is looked at.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);
const PATH: &str = "/api/cluster/ca/";

pub(crate) async fn run(command: CaCommand) -> Result<()> {
    match command {
        CaCommand::Status { connection, json } => {
            let ca = client(connection)?.get(PATH).await?;
            if json {
                println!("{ca}");
            } else {
                print!("{}", render(&ca));
            }
        }
        CaCommand::Rotate { connection, wait } => {
            let client = client(connection)?;
            let ca = client.post(&format!("{PATH}rotate/"), &json!({})).await?;
            println!("the next certificate authority is announced; every node gets a certificate from it");
            if wait {
                watch(&client, ca).await?;
            }
        }
    }
    Ok(())
}

/// Waits for the end, and says once what is waited for.
async fn watch(client: &Client, mut ca: Value) -> Result<()> {
    let mut said = Vec::new();
    while ca["rotating"] == true {
        tokio::time::sleep(LOOK).await;
        ca = client.get(PATH).await?;
        let waits = waiting(&ca);
        for line in waits.iter().filter(|it| !said.contains(*it)) {
            println!("waits for {line}");
        }
        said = waits;
    }
    println!(
        "done: {} signs, the one before is trusted no longer",
        short(&ca["fingerprint"])
    );
    Ok(())
}

/// What a rotation waits for, a line a node.
fn waiting(ca: &Value) -> Vec<String> {
    let nodes = ca["nodes"].as_array().into_iter().flatten();
    let nodes = nodes.filter(|it| it["waits"].is_string());
    nodes
        .map(|it| format!("{}: {}", plain(&it["name"]), plain(&it["waits"])))
        .collect()
}

fn short(fingerprint: &Value) -> String {
    plain(fingerprint).chars().take(SHOWN).collect()
}

fn render(ca: &Value) -> String {
    let mut text = format!("authority {}\n", short(&ca["fingerprint"]));
    if ca["rotating"] == true {
        let other = match (&ca["next"], &ca["before"]) {
            (next @ Value::String(_), _) => format!("{} is announced and does not sign yet", short(next)),
            (_, before) => format!("{} is trusted until every node has a new certificate", short(before)),
        };
        text.push_str(&format!(
            "a rotation is under way since {}: {other}\n",
            plain(&ca["began_at"])
        ));
    }
    text.push('\n');
    let mut rows = vec![["ID", "NAME", "CERTIFIED BY", "UNTIL", "TRUSTS"].map(str::to_owned)];
    let nodes = ca["nodes"].as_array().into_iter().flatten();
    rows.extend(nodes.map(|node| {
        let trusts = node["trusts"].as_array().into_iter().flatten().map(short);
        [
            plain(&node["id"]),
            plain(&node["name"]),
            match &node["error"] {
                Value::String(error) => error.clone(),
                _ => short(&node["certified_by"]),
            },
            plain(&node["certified_until"]),
            trusts.collect::<Vec<_>>().join(","),
        ]
    }));
    text.push_str(&table(&rows));
    for line in waiting(ca) {
        text.push_str(&format!("\nwaits for {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_who_is_waited_for() {
        let (new, old) = ("ab".repeat(32), "cd".repeat(32));
        let text = render(&json!({
            "fingerprint": new, "next": null, "before": old, "rotating": true, "began_at": "2026-01-01T00:00:00Z",
            "nodes": [
                {"id": 1, "name": "a", "certified_by": new, "certified_until": "2026-01-08T00:00:00Z",
                 "trusts": [new, old], "waits": null, "error": null},
                {"id": 2, "name": "b", "certified_by": null, "certified_until": null, "trusts": null,
                 "waits": "it is down: start it", "error": "no answer"},
            ],
        }));
        assert!(
            text.starts_with("authority abababababababab\na rotation is under way since"),
            "{text}"
        );
        assert!(text.contains("cdcdcdcdcdcdcdcd is trusted until every node"), "{text}");
        assert!(text.ends_with("\nwaits for b: it is down: start it\n"), "{text}");
        assert!(
            text.contains("2   b     no answer         -"),
            "what is not known is not made up: {text}"
        );
    }
}
