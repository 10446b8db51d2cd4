//! `goblins ps`

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::command::{Connection, client};
use crate::table::{plain, since, table};
use crate::workload::{self, Workload};

/// Flags of `goblins ps`.
#[derive(Clone, Debug, Args)]
pub struct PsArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker [default: all]
    pub(crate) service: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn run(args: PsArgs) -> Result<()> {
    let client = client(args.connection)?;
    let mut all = workload::all(&client).await?;
    if let Some(wanted) = &args.service {
        all = vec![workload::pick(all, wanted)?];
    }
    let mut found = Vec::new();
    for it in all {
        let replicas = client.list(&format!("{}replicas/", it.path())).await?;
        found.push((it, replicas));
    }
    if args.json {
        let objects = found
            .iter()
            .flat_map(|(it, replicas)| replicas.iter().map(|replica| named(it, replica)));
        println!("{}", Value::Array(objects.collect()));
    } else {
        print!("{}", render(&found, jiff::Timestamp::now()));
    }
    Ok(())
}

/// A replica with the name of what it is one of.
fn named(it: &Workload, replica: &Value) -> Value {
    let mut replica = replica.clone();
    replica["service"] = json!({"id": it.id(), "name": it.name(), "kind": it.kind.word()});
    replica
}

fn render(found: &[(Workload, Vec<Value>)], now: jiff::Timestamp) -> String {
    let head = [
        "SERVICE", "VERSION", "REPLICA", "NODE", "STATE", "SINCE", "RESTARTS", "REASON",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for (it, replicas) in found {
        rows.extend(replicas.iter().map(|replica| row(it, replica, now)));
        if replicas.is_empty() {
            let why = plain(&it.shown["status_reason"]);
            let none = |text: &str| text.to_owned();
            rows.push([
                it.name(),
                none("-"),
                none("-"),
                none("-"),
                none("none"),
                none("-"),
                none("-"),
                why,
            ]);
        }
    }
    table(&rows)
}

fn row(it: &Workload, replica: &Value, now: jiff::Timestamp) -> [String; 8] {
    let id = plain(&replica["id"]);
    let end = id.get(id.len().saturating_sub(8)..).unwrap_or(&id).to_owned();
    let reason = match &replica["reason"] {
        Value::Null => String::new(),
        reason => format!("{}: {}", plain(&reason["code"]), plain(&reason["message"])),
    };
    [
        it.name(),
        plain(&replica["version"]),
        end,
        plain(&replica["node"]["name"]),
        plain(&replica["state"]),
        since(&replica["changed_at"], now),
        plain(&replica["restarts"]),
        reason,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Kind;

    #[test]
    fn every_replica_has_a_row_and_a_service_without_one_says_why() {
        let workload = |name: &str, why: &str| Workload {
            kind: Kind::Service,
            shown: json!({"id": "s", "name": name, "status_reason": why}),
        };
        let replica = json!({
            "id": "0123456789abcdef", "version": 2, "node": {"id": 1, "name": "a"}, "state": "failed", "restarts": 3,
            "changed_at": "2026-01-01T00:00:00Z", "reason": {"code": "exited", "message": "with 1"},
        });
        let found = [
            (workload("web", ""), vec![replica]),
            (workload("api", "no room"), Vec::new()),
        ];
        let now = "2026-01-01T00:02:05Z".parse().unwrap();
        let text = render(&found, now);
        let lines: Vec<Vec<_>> = text
            .lines()
            .map(|it| it.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect())
            .collect();
        assert_eq!(
            lines[1],
            ["web", "2", "89abcdef", "a", "failed", "2m", "3", "exited: with 1"]
        );
        assert_eq!((lines[2][0], lines[2][lines[2].len() - 1]), ("api", "no room"));
    }
}
