//! `goblins history`

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::command::{Connection, client};
use crate::deploy;
use crate::table::{plain, since, table};
use crate::workload;

/// Characters of a digest that tell it from others.
const DIGEST_SHOWN: usize = "sha256:".len() + 12;

/// Flags of `goblins history`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker
    pub(crate) service: String,
    /// Show all that this version is pinned to, as JSON
    #[arg(long, value_name = "N", conflicts_with = "json")]
    pub(crate) show: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn run(args: HistoryArgs) -> Result<()> {
    let client = client(args.connection)?;
    let found = workload::find(&client, &args.service).await?;
    let mut all = client.list(&format!("{}deployments/", found.path())).await?;
    all.sort_by_key(|it| std::cmp::Reverse(deploy::version_of(it)));
    if let Some(wanted) = args.show {
        let one = deploy::named_version(&all, wanted)?;
        println!("{}", serde_json::to_string_pretty(one).context("cannot print")?);
    } else if args.json {
        println!("{}", json!(all));
    } else {
        print!("{}", render(&all, &found.shown["version"], jiff::Timestamp::now()));
    }
    Ok(())
}

/// The newest first; the one that the service is at is marked.
fn render(all: &[Value], current: &Value, now: jiff::Timestamp) -> String {
    let mut rows = vec![["VERSION", "STATUS", "BEGAN", "BY", "IMAGE", "DIGEST", "NOTES"].map(str::to_owned)];
    rows.extend(all.iter().map(|it| row(it, all, current, now)));
    table(&rows)
}

fn row(it: &Value, all: &[Value], current: &Value, now: jiff::Timestamp) -> [String; 7] {
    let mark = if it["version_number"] == *current { " *" } else { "" };
    let digest = plain(&it["image_digest"]);
    [
        format!("{}{mark}", plain(&it["version_number"])),
        plain(&it["status"]),
        since(&it["deployed_at"], now),
        plain(&it["deployed_by"]),
        plain(&it["image"]),
        digest.get(..DIGEST_SHOWN).unwrap_or(&digest).to_owned(),
        notes(it, all),
    ]
}

/// What it brought back, what its author wrote, and why it failed.
fn notes(it: &Value, all: &[Value]) -> String {
    let back = it["rollback_from"].as_str().map(|from| {
        let version = all.iter().find(|other| other["id"] == from).map(deploy::version_of);
        version.map_or_else(|| "a rollback".to_owned(), |it| format!("back to version {it}"))
    });
    let text = |name: &str| it[name].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    let parts = [back, text("notes"), text("error_message")];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_a_row_with_what_became_of_it() {
        let version = |number: u64, more: Value| {
            let mut it = json!({
                "id": format!("d{number}"), "version_number": number, "status": "success", "image": "app:1", "deployed_by": "ann",
                "deployed_at": "2026-01-01T00:00:00Z", "image_digest": format!("sha256:{}", "ab".repeat(32)),
                "rollback_from": null, "notes": "", "error_message": "",
            });
            it.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            it
        };
        let all = [
            version(3, json!({"rollback_from": "d1", "notes": "see #12"})),
            version(
                2,
                json!({"status": "failed", "image_digest": null, "error_message": "no such image"}),
            ),
            version(1, json!({})),
        ];
        let text = render(&all, &json!(3), "2026-01-01T00:02:05Z".parse().unwrap());
        let rows: Vec<Vec<_>> = text
            .lines()
            .skip(1)
            .map(|it| it.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect())
            .collect();
        let digest = "sha256:abababababab";
        assert_eq!(
            rows[0],
            [
                "3 *",
                "success",
                "2m",
                "ann",
                "app:1",
                digest,
                "back to version 1; see #12"
            ]
        );
        assert_eq!(rows[1], ["2", "failed", "2m", "ann", "app:1", "-", "no such image"]);
        assert_eq!(rows[2], ["1", "success", "2m", "ann", "app:1", digest]);
    }
}
