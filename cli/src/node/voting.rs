//! `goblins node promote` and `demote`

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::{find, path};
use crate::client::Client;
use crate::cluster;
use crate::table::plain;

/// How long the cluster may take to do it before it is asked why it has not.
const LIMIT: Duration = Duration::from_secs(5);
/// How soon to look again.
const POLL: Duration = Duration::from_millis(200);

/// Says what is wanted of a node's vote, and tells whether it is so.
pub(super) async fn set(client: &Client, node: &str, wanted: &str) -> Result<()> {
    let found = find(client, node).await?;
    let (path, name) = (path(&found), plain(&found["name"]));
    let mut now = client.patch(&path, &json!({ "voting": wanted })).await?;
    let end = Instant::now() + LIMIT;
    while !is_met(&now) && Instant::now() < end {
        tokio::time::sleep(POLL).await;
        now = client.get(&path).await?;
    }
    let role = plain(&now["role"]);
    if is_met(&now) {
        println!("{name} has voting: {wanted}, and is a {role}");
        return Ok(());
    }
    println!("{name} has voting: {wanted}, and is still a {role}");
    let health = cluster::ask(client).await?;
    let told = reasons(&health, &name);
    for (text, remedy) in &told {
        println!("{text}\n  {remedy}");
    }
    Ok(())
}

fn is_met(node: &Value) -> bool {
    match node["voting"].as_str() {
        Some("always") => node["role"] == "voter",
        Some("never") => node["role"] != "voter",
        _ => true,
    }
}

/// What is said of a node and its vote.
fn reasons(health: &Value, name: &str) -> Vec<(String, String)> {
    let warnings = health["warnings"].as_array().into_iter().flatten();
    let told = warnings.map(|it| (plain(&it["text"]), plain(&it["remedy"])));
    told.filter(|(text, _)| text.starts_with(&format!("{name} is ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_met_or_explained() {
        assert!(is_met(&json!({"voting": "auto", "role": "learner"})));
        assert!(!is_met(&json!({"voting": "always", "role": "learner"})));
        assert!(is_met(&json!({"voting": "never", "role": "learner"})));
        let health = json!({"warnings": [
            {"text": "b is to vote always and does not: x", "remedy": "y"}, {"text": "c does not answer", "remedy": "z"},
        ]});
        assert_eq!(
            reasons(&health, "b"),
            [("b is to vote always and does not: x".to_owned(), "y".to_owned())]
        );
    }
}
