//! Waiting for the end of a deployment, through nodes that come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::progress::Progress;
use crate::client::Client;
use crate::table::plain;
use crate::workload::Workload;

/// How this process ends when the end of a deployment is not known.
pub(super) const GAVE_UP: u8 = 2;
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// In the order in which a replica passes through them.
const STATES: [&str; 8] = [
    "ready", "starting", "pulling", "assigned", "failed", "lost", "stopping", "stopped",
];

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// All replicas are ready.
    Succeeded { ready: u64 },
    /// It failed; says why and what to do.
    Failed(String),
    /// The end is not known; says what is.
    GaveUp(String),
}

/// Waits for the end of a deployment of `it`.
pub(super) async fn wait(client: &Client, it: &Workload, id: &str, limit: Duration, progress: &mut Progress) -> Waited {
    let end = Instant::now() + limit;
    loop {
        let last = match look(client, it, id).await {
            Ok((deployment, replicas)) => {
                if let Some(waited) = judge(&deployment) {
                    return waited;
                }
                summary(&deployment, &replicas)
            }
            // The node may be starting again, or an election be under way.
            Err(error) => format!("{error:#}"),
        };
        progress.say(&last);
        if Instant::now() + LOOK >= end {
            return Waited::GaveUp(format!("after {} s: {last}. What has begun goes on.", limit.as_secs()));
        }
        sleep(LOOK).await;
    }
}

async fn look(client: &Client, it: &Workload, id: &str) -> Result<(Value, Vec<Value>)> {
    let deployment = client.get(&format!("/api/deployments/{id}/")).await?;
    let replicas = client.list(&format!("{}replicas/", it.path())).await?;
    Ok((deployment, replicas))
}

/// `None` while it goes on.
fn judge(deployment: &Value) -> Option<Waited> {
    let said = plain(&deployment["error_message"]);
    match deployment["status"].as_str()? {
        "success" => {
            let ready = deployment["replicas"].as_u64().unwrap_or(0);
            Some(Waited::Succeeded { ready })
        }
        "failed" => Some(Waited::Failed(said)),
        "rolled_back" => Some(Waited::Failed("it was rolled back before it had ended".to_owned())),
        _ => None,
    }
}

/// Such as `1 of 3 ready, 1 pulling, 1 starting; 2 of version 3`.
fn summary(deployment: &Value, replicas: &[Value]) -> String {
    let wanted = plain(&deployment["replicas"]);
    let version = &deployment["version_number"];
    let (new, old): (Vec<_>, Vec<_>) = replicas.iter().partition(|it| it["version"] == *version);
    let mut states: BTreeMap<usize, u32> = BTreeMap::new();
    for replica in &new {
        let state = replica["state"].as_str().unwrap_or_default();
        let at = STATES.iter().position(|it| *it == state);
        *states.entry(at.unwrap_or(STATES.len() - 1)).or_default() += 1;
    }
    let ready = states.remove(&0).unwrap_or(0);
    let mut text = format!("{ready} of {wanted} ready");
    for (at, count) in states {
        text.push_str(&format!(", {count} {}", STATES[at]));
    }
    let fetched = |it: &&Value| Some((it["progress"]["done"].as_u64()?, it["progress"]["total"].as_u64()?));
    let fetched = new.iter().filter_map(fetched);
    let (done, total) = fetched.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    if let Some(percent) = (done * 100).checked_div(total) {
        text.push_str(&format!(", {percent} % of the image fetched"));
    }
    if !old.is_empty() {
        text.push_str(&format!("; {} of earlier versions", old.len()));
    }
    let mut reasons = new.iter().filter_map(|it| it["reason"]["message"].as_str());
    if let Some(reason) = reasons.next_back() {
        text.push_str(&format!(" ({reason})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replicas_are_counted_by_state_and_the_older_ones_apart() {
        let deployment = json!({"replicas": 3, "version_number": 4});
        let replica =
            |version: u64, state: &str, reason: Value| json!({"version": version, "state": state, "reason": reason});
        let replicas = [
            replica(4, "ready", Value::Null),
            json!({
                "version": 4, "state": "pulling", "progress": {"done": 250, "total": 1000},
                "reason": {"code": "registry_unreachable", "message": "no way"},
            }),
            replica(3, "ready", Value::Null),
            replica(3, "stopping", Value::Null),
        ];
        let text = summary(&deployment, &replicas);
        assert_eq!(
            text,
            "1 of 3 ready, 1 pulling, 25 % of the image fetched; 2 of earlier versions (no way)"
        );
        assert_eq!(summary(&deployment, &[]), "0 of 3 ready");
    }

    #[test]
    fn an_end_is_an_end() {
        let one = |status: &str| json!({"status": status, "replicas": 2, "error_message": "what and why"});
        assert_eq!(judge(&one("success")), Some(Waited::Succeeded { ready: 2 }));
        assert_eq!(judge(&one("failed")), Some(Waited::Failed("what and why".to_owned())));
        assert!(matches!(judge(&one("rolled_back")), Some(Waited::Failed(_))));
        assert_eq!(judge(&one("pending")), None);
    }
}
