//! `goblins keyring`

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::command::{Connection, client};
use crate::passphrase::From;
use crate::table::{plain, table};

/// What can be done with the keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyringCommand {
    /// Show which keys each node has, which are locked, and how far a rotation is
    Status {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Begin a rotation to a new key; the cluster goes on with it by itself
    Rotate {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Wait until it is done
        #[arg(long)]
        wait: bool,
    },
    /// Set a passphrase, so that daemons wait for it after each restart; or lock all nodes now
    Lock {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Forget the keys on all nodes at once, under the passphrase that was set before
        #[arg(long)]
        now: bool,
        /// Where the passphrase comes from
        #[command(flatten)]
        from: From,
    },
    /// Give the passphrase to the node and to all others that wait for it
    Unlock {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Where the passphrase comes from
        #[command(flatten)]
        from: From,
    },
    /// Take the passphrase away: the keys lie open on the nodes' disks from then on
    RemoveLock {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Where the passphrase comes from
        #[command(flatten)]
        from: From,
    },
}

/// How often a rotation is looked at.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

pub(crate) async fn run(command: KeyringCommand) -> Result<()> {
    match command {
        KeyringCommand::Status { connection, json } => {
            let keyring = client(connection)?.get("/api/keyring/").await?;
            if json {
                println!("{keyring}");
            } else {
                print!("{}", render(&keyring));
            }
        }
        KeyringCommand::Rotate { connection, wait } => {
            let client = client(connection)?;
            let mut keyring = client.post("/api/keyring/rotate/", &json!({})).await?;
            println!("rotating to key {}", plain(&keyring["current"]));
            while wait && keyring["rotating"] == true {
                tokio::time::sleep(LOOK).await;
                keyring = client.get("/api/keyring/").await?;
            }
            if wait {
                println!("done");
            }
        }
        KeyringCommand::Lock { connection, now, from } => {
            let client = client(connection)?;
            let body = if now && from.passphrase_file.is_none() {
                json!({ "now": true })
            } else {
                json!({ "passphrase": *from.fresh()?, "now": now })
            };
            let keyring = send(&client, "/api/keyring/lock/", body).await?;
            say(&keyring);
        }
        KeyringCommand::Unlock { connection, from } => {
            let client = client(connection)?;
            let body = json!({ "passphrase": *from.known()? });
            let keyring = send(&client, "/api/keyring/unlock/", body).await?;
            say(&keyring);
        }
        KeyringCommand::RemoveLock { connection, from } => {
            let client = client(connection)?;
            let body = json!({ "passphrase": *from.known()? });
            let keyring = send(&client, "/api/keyring/remove-lock/", body).await?;
            say(&keyring);
        }
    }
    Ok(())
}

/// Sends a body with a passphrase in it, and wipes that.
async fn send(client: &Client, path: &str, mut body: Value) -> Result<Value> {
    let answer = client.post(path, &body).await;
    if let Some(Value::String(passphrase)) = body.get_mut("passphrase").map(Value::take) {
        drop(Zeroizing::new(passphrase));
    }
    answer
}

fn say(keyring: &Value) {
    print!("{}", render(keyring));
}

fn render(keyring: &Value) -> String {
    let mut text = format!(
        "key {}  oldest in use {}  passphrase {}\n",
        plain(&keyring["current"]),
        plain(&keyring["oldest"]),
        if keyring["autolock"] == true { "set" } else { "none" },
    );
    if keyring["rotating"] == true {
        let left = plain(&keyring["values_left"]);
        text.push_str(&format!("a rotation is under way, {left} values left\n"));
    }
    text.push('\n');
    let mut rows = vec![["ID", "NAME", "KEYS", "SEALS BY", "STATE", "IN STEP"].map(str::to_owned)];
    let nodes = keyring["nodes"].as_array().into_iter().flatten();
    rows.extend(nodes.map(|node| {
        let state = match (&node["error"], &node["locked"]) {
            (Value::String(error), _) => error.clone(),
            (_, Value::Bool(true)) => "locked".to_owned(),
            (_, Value::Bool(false)) => "open".to_owned(),
            _ => "-".to_owned(),
        };
        let keys = node["versions"].as_array().into_iter().flatten().map(plain);
        [
            plain(&node["id"]),
            plain(&node["name"]),
            keys.collect::<Vec<_>>().join(","),
            plain(&node["current"]),
            state,
            match &node["in_step"] {
                Value::Bool(true) => "yes".to_owned(),
                Value::Bool(false) => "not yet".to_owned(),
                _ => "-".to_owned(),
            },
        ]
    }));
    text.push_str(&table(&rows));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_what_is_locked_and_what_cannot_be_reached() {
        let node = |id: u64, name: &str, locked: bool| {
            json!({"id": id, "name": name, "versions": [1, 2], "current": 2, "locked": locked, "autolock": true,
                "in_step": true, "error": null})
        };
        let text = render(&json!({
            "current": 2, "oldest": 1, "autolock": true, "rotating": true, "values_left": 12,
            "nodes": [node(1, "a", false), node(2, "b", true), {"id": 3, "name": "c", "error": "no answer"}],
        }));
        assert!(text.starts_with("key 2  oldest in use 1  passphrase set\na rotation is under way, 12 values left\n"));
        for line in [
            "1   a     1,2   2         open       yes",
            "2   b     1,2   2         locked     yes",
            "3   c           -         no answer  -",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
