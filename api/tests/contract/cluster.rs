//! Nodes, the cluster and its join tokens.

use serde_json::json;

use crate::target::{Api, keys_in_order};

pub async fn nodes_and_cluster(api: &Api<'_>) {
    let got = api.get("/api/nodes/").await;
    keys_in_order(
        &got.text(),
        &[
            "id",
            "name",
            "address",
            "role",
            "leader",
            "version",
            "state",
            "schedulable",
            "draining",
            "capacity",
            "allocated",
            "api_url",
        ],
    );
    let node = got.ok(200)["results"][0].clone();
    let target = format!("/api/nodes/{}/", node["id"]);
    let off = api.patch(&target, r#"{"schedulable":"no","name":"x"}"#).await.ok(200);
    assert_eq!((&off["schedulable"], &off["name"]), (&json!(false), &node["name"]));
    assert_eq!(api.patch(&target, "").await.ok(200)["schedulable"], json!(false));
    assert_eq!(
        api.patch(&target, r#"{"schedulable":true}"#).await.ok(200)["schedulable"],
        json!(true)
    );
    assert_eq!(
        api.patch(&target, r#"{"draining":true}"#).await.ok(200)["draining"],
        json!(true)
    );
    let back = api.patch(&target, r#"{"draining":false}"#).await.ok(200);
    assert_eq!((&back["draining"], &back["schedulable"]), (&json!(false), &json!(true)));
    api.patch(&target, r#"{"schedulable":null}"#)
        .await
        .is(400, json!({"schedulable": ["This field may not be null."]}));
    for bad in ["0", "999", "01", "-1", "x"] {
        api.get(&format!("/api/nodes/{bad}/")).await.detail(404, "Not found.");
        api.delete(&format!("/api/nodes/{bad}/"))
            .await
            .detail(404, "Not found.");
    }
    let got = api.get("/api/cluster/").await;
    keys_in_order(
        &got.text(),
        &[
            "id",
            "healthy",
            "term",
            "leader",
            "commit_index",
            "applied_index",
            "voters",
            "learners",
        ],
    );
    let cluster = got.ok(200);
    assert_eq!(cluster["healthy"], json!(true));
    for field in ["id", "name", "api_url"] {
        assert!(!cluster["leader"][field].is_null(), "{field}");
    }
}

pub async fn join_tokens(api: &Api<'_>) {
    let made = api.post("/api/join-tokens/", "").await.ok(201);
    let token = made["token"].as_str().expect("the token").to_owned();
    let digest = token.rsplit_once('_').map_or("", |(_, digest)| digest);
    assert!(
        token.starts_with("gobj_") && token.len() > 100 && digest.len() == 64,
        "{token}"
    );
    assert!(!api.get("/api/join-tokens/").await.text().contains(&token));
    api.post("/api/join-tokens/", r#"{"ttl_seconds":60}"#).await.ok(201);
    assert_eq!(made["uses_left"], 1);
    let many = api.post("/api/join-tokens/", r#"{"uses":3}"#).await.ok(201);
    assert_eq!(many["uses_left"], 3);
    let none = json!({"uses": ["Ensure this value is greater than or equal to 1."]});
    api.post("/api/join-tokens/", r#"{"uses":0}"#).await.is(400, none);
    let low = json!({"ttl_seconds": ["Ensure this value is greater than or equal to 1."]});
    api.post("/api/join-tokens/", r#"{"ttl_seconds":0}"#).await.is(400, low);
}
