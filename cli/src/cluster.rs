//! `goblins cluster`

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use crate::client::Client;
use crate::command::{Connection, client};
use crate::table::{plain, table};

/// A cluster at work, with something to be done about it.
const DEGRADED: u8 = 1;
/// No majority, or nobody who could tell.
const UNREACHABLE: u8 = 2;

/// What can be asked of the cluster as a whole.
#[derive(Clone, Debug, Subcommand)]
pub enum ClusterCommand {
    /// Show how the cluster is, and what to do. Ends with 0 if it is healthy, 1 if it is degraded, and 2 without a majority
    /// or an answer
    Health {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Answers how the process is to end.
pub(crate) async fn run(command: ClusterCommand) -> Result<u8> {
    let ClusterCommand::Health { connection, json } = command;
    match ask(&client(connection)?).await {
        Ok(health) => {
            if json {
                println!("{health}");
            } else {
                print!("{}", render(&health));
            }
            Ok(code(&health))
        }
        Err(error) => {
            eprintln!("goblins: {error:#}");
            Ok(UNREACHABLE)
        }
    }
}

/// The health of the cluster as one node sees it, with or without a majority.
pub(crate) async fn ask(client: &Client) -> Result<Value> {
    client.get("/api/cluster/health/?consistency=local").await
}

fn code(health: &Value) -> u8 {
    match health["status"].as_str() {
        Some("healthy") => 0,
        Some("degraded") => DEGRADED,
        _ => UNREACHABLE,
    }
}

fn render(health: &Value) -> String {
    let mut text = format!("{}\n", plain(&health["summary"]));
    let leader = plain(&health["leader"]["name"]);
    let epoch = match health["epoch"].as_u64() {
        Some(0) | None => String::new(),
        Some(epoch) => format!("  epoch {epoch}"),
    };
    let asked = plain(&health["node"]["name"]);
    let stale = match health["staleness_ms"].as_u64() {
        Some(age) if health["status"] != "no_quorum" => format!("{age} ms ago"),
        Some(age) => format!("{age} ms ago: what is shown is as old"),
        None => "never since it started: what is shown may be old".to_owned(),
    };
    text.push_str(&format!(
        "leader {leader}  term {}{epoch}  asked {asked}, which last had word from the leader {stale}\n\n",
        plain(&health["term"])
    ));
    let mut rows = vec![
        [
            "ID",
            "NAME",
            "ROLE",
            "VOTING",
            "ANSWERS",
            "CONTACT",
            "LAG",
            "DISK FREE",
            "VERSION",
        ]
        .map(str::to_owned),
    ];
    rows.extend(health["nodes"].as_array().into_iter().flatten().map(row));
    text.push_str(&table(&rows));
    text.push_str(&keyring(&health["keyring"]));
    for warning in health["warnings"].as_array().into_iter().flatten() {
        let mark = if warning["problem"] == true { "!" } else { "-" };
        text.push_str(&format!(
            "\n{mark} {}\n  {}\n",
            plain(&warning["text"]),
            plain(&warning["remedy"])
        ));
    }
    text
}

fn row(node: &Value) -> [String; 9] {
    let role = if node["leader"] == true {
        "leader".to_owned()
    } else {
        plain(&node["role"])
    };
    let answers = if node["answers"] == true { "yes" } else { "NO" };
    let contact = node["last_contact_ms"].as_u64();
    let mib = |field: &str| node[field].as_u64().map(|it| it >> 20);
    let disk = mib("disk_free").zip(mib("disk_total").filter(|it| *it > 0));
    [
        plain(&node["id"]),
        plain(&node["name"]),
        role,
        plain(&node["voting"]),
        answers.to_owned(),
        contact.map_or_else(|| "-".to_owned(), |it| format!("{it} ms")),
        plain(&node["lag"]),
        disk.map_or_else(|| "-".to_owned(), |(free, total)| format!("{free} of {total} MiB")),
        plain(&node["version"]),
    ]
}

fn keyring(keyring: &Value) -> String {
    if keyring.is_null() {
        return String::new();
    }
    let lock = if keyring["autolock"] == true { "with" } else { "without" };
    let rotating = if keyring["rotating"] == true {
        ", being rotated"
    } else {
        ""
    };
    let locked = keyring["locked"].as_array().map_or(0, Vec::len);
    let locked = if locked == 0 {
        String::new()
    } else {
        format!(", locked on {locked} nodes")
    };
    format!(
        "\nkeyring: key version {}, {lock} a passphrase{locked}{rotating}\n",
        plain(&keyring["current"])
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn health_is_shown_and_told_by_the_exit_code() {
        let health = json!({
            "status": "degraded", "summary": "degraded: 2 of 3", "leader": {"id": 1, "name": "a"}, "term": 4, "epoch": 1,
            "node": {"id": 1, "name": "a"}, "staleness_ms": 3,
            "keyring": {"current": 2, "autolock": false, "rotating": false, "locked": [], "behind": []},
            "nodes": [
                {"id": 1, "name": "a", "role": "voter", "voting": "auto", "leader": true, "answers": true,
                 "last_contact_ms": 0, "lag": 0, "disk_free": 5 << 20, "disk_total": 10 << 20, "version": "1"},
                {"id": 2, "name": "b", "role": "voter", "voting": "never", "leader": false, "answers": false,
                 "last_contact_ms": null, "lag": null, "disk_free": null, "disk_total": null, "version": null},
            ],
            "warnings": [{"problem": true, "text": "b does not answer", "remedy": "start it"}],
        });
        let text = render(&health);
        assert!(text.contains("! b does not answer\n  start it"), "{text}");
        assert!(text.contains("5 of 10 MiB"), "{text}");
        assert!(text.contains("epoch 1"), "{text}");
        assert!(
            text.lines()
                .any(|line| line.starts_with("2   b") && line.contains("never   NO")),
            "{text}"
        );
        assert_eq!(code(&health), DEGRADED);
        assert_eq!(code(&json!({"status": "healthy"})), 0);
        assert_eq!(code(&json!({"status": "no_quorum"})), UNREACHABLE);
        assert_eq!(code(&Value::Null), UNREACHABLE);
    }
}
