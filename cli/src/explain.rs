//! `goblins explain`

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::command::{Connection, client};
use crate::table::plain;
use crate::workload;

/// Flags of `goblins explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker
    pub(crate) service: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn run(args: ExplainArgs) -> Result<()> {
    let client = client(args.connection)?;
    let found = workload::find(&client, &args.service).await?;
    let said = client.get(&format!("{}explain/", found.path())).await?;
    if args.json {
        println!("{said}");
    } else {
        print!("{}", render(&found.name(), &plain(&found.shown["status"]), &said));
    }
    Ok(())
}

fn render(name: &str, status: &str, said: &Value) -> String {
    let mut text = format!(
        "{name} is {status}: {} of {} replicas are ready",
        plain(&said["ready"]),
        plain(&said["wanted"])
    );
    match said["missing"].as_u64() {
        Some(0) | None => {}
        Some(missing) => text.push_str(&format!(", {missing} have no place")),
    }
    text.push('\n');
    if !said["failed_version"].is_null() {
        let (failed, runs) = (plain(&said["failed_version"]), plain(&said["version"]));
        text.push_str(&format!(
            "version {failed} has failed; version {runs} is what is to run\n"
        ));
    }
    let list = |field: &str| said[field].as_array().cloned().unwrap_or_default();
    section(&mut text, "Replicas", &list("replicas"), |it| {
        let id = plain(&it["id"]);
        let end = id.get(id.len().saturating_sub(8)..).unwrap_or(&id).to_owned();
        let (node, version) = (plain(&it["node"]["name"]), plain(&it["version"]));
        format!("{node}/{end} (version {version}): {}", plain(&it["why"]))
    });
    section(&mut text, "Nodes, for one more replica", &list("nodes"), |it| {
        let mark = if it["fits"] == true { "+" } else { "-" };
        format!("{mark} {} {}", plain(&it["name"]), plain(&it["why"]))
    });
    section(
        &mut text,
        "What would help, the smallest change first",
        &list("remedies"),
        |it| {
            let command = it["command"].as_str().map(|it| format!(": `{it}`")).unwrap_or_default();
            let places = plain(&it["places"]);
            format!("{}{command} (a place for {places})", plain(&it["text"]))
        },
    );
    text
}

fn section(text: &mut String, title: &str, items: &[Value], line: impl Fn(&Value) -> String) {
    if items.is_empty() {
        return;
    }
    text.push_str(&format!("\n{title}\n"));
    for item in items {
        text.push_str(&format!("  {}\n", line(item)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_is_read_from_top_to_bottom() {
        let said = json!({
            "version": 2, "failed_version": 3, "wanted": 3, "ready": 1, "missing": 2,
            "replicas": [{"id": "0123456789abcdef", "version": 2, "node": {"id": 1, "name": "a"}, "why": "it fits"}],
            "nodes": [{"id": 2, "name": "b", "fits": false, "why": "is down"}],
            "remedies": [
                {"text": "uncordon node c", "command": "goblins node uncordon c", "places": 2},
                {"text": "add a node", "command": null, "places": 1},
            ],
        });
        let expected = "web is error: 1 of 3 replicas are ready, 2 have no place\n\
            version 3 has failed; version 2 is what is to run\n\
            \nReplicas\n  a/89abcdef (version 2): it fits\n\
            \nNodes, for one more replica\n  - b is down\n\
            \nWhat would help, the smallest change first\n  \
            uncordon node c: `goblins node uncordon c` (a place for 2)\n  add a node (a place for 1)\n";
        assert_eq!(render("web", "error", &said), expected);
    }
}
