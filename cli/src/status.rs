//! `goblins status`

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::Client;
use crate::table::{plain, table};

pub(crate) async fn show(client: &Client, as_json: bool) -> Result<()> {
    let cluster = client.get("/api/cluster/").await?;
    let nodes = client.list("/api/nodes/").await?;
    if as_json {
        println!("{}", json!({ "cluster": cluster, "nodes": nodes }));
    } else {
        print!("{}", render(&cluster, &nodes));
    }
    Ok(())
}

fn render(cluster: &Value, nodes: &[Value]) -> String {
    let health = if cluster["healthy"] == true {
        "healthy"
    } else {
        "NOT HEALTHY"
    };
    let leader = cluster["leader"]["name"].as_str().unwrap_or("none");
    let mut text = format!(
        "cluster {}  {health}  leader {leader}  term {}  committed {}  applied {}\n\n",
        plain(&cluster["id"]),
        plain(&cluster["term"]),
        plain(&cluster["commit_index"]),
        plain(&cluster["applied_index"]),
    );
    let mut rows = vec![
        [
            "ID", "NAME", "STATE", "ROLE", "MATCHED", "LAG", "REPLICAS", "API", "VERSION",
        ]
        .map(str::to_owned),
    ];
    rows.extend(nodes.iter().map(|node| row(cluster, node)));
    text.push_str(&table(&rows));
    text
}

fn row(cluster: &Value, node: &Value) -> [String; 9] {
    let member = ["voters", "learners"]
        .iter()
        .flat_map(|kind| cluster[*kind].as_array().into_iter().flatten())
        .find(|it| it["id"] == node["id"]);
    let number = |field: &str| member.map_or_else(|| "-".to_owned(), |it| plain(&it[field]));
    let role = if node["leader"] == true {
        "leader".to_owned()
    } else {
        plain(&node["role"])
    };
    let state = if node["schedulable"] == false {
        "unschedulable"
    } else {
        node["state"].as_str().unwrap_or("-")
    };
    [
        plain(&node["id"]),
        plain(&node["name"]),
        state.to_owned(),
        role,
        number("matched_index"),
        number("lag"),
        plain(&node["allocated"]["replicas"]),
        plain(&node["api_url"]),
        plain(&node["version"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_leader_term_and_lag() {
        let cluster = json!({
            "id": "c", "healthy": true, "term": 3, "leader": {"id": 2, "name": "b"}, "commit_index": 9,
            "applied_index": 9, "learners": [],
            "voters": [{"id": 1, "matched_index": 7, "lag": 2}, {"id": 2, "matched_index": 9, "lag": 0}],
        });
        let node = |id: u64, name: &str, leader: bool| {
            json!({"id": id, "name": name, "state": "up", "role": "voter", "leader": leader, "schedulable": true,
                "allocated": {"replicas": 1}, "api_url": "http://n", "version": "1"})
        };
        let text = render(&cluster, &[node(1, "a", false), node(2, "b", true)]);
        assert!(text.contains("leader b  term 3"), "{text}");
        assert!(
            text.lines()
                .any(|line| line.starts_with("1   a     up     voter   7        2")),
            "{text}"
        );
        assert!(
            text.lines()
                .any(|line| line.starts_with("2   b     up     leader  9        0")),
            "{text}"
        );
    }
}
