//! Rollbacks: an earlier revision of a service comes back as a new deployment.

use serde_json::{Value, json};

use crate::target::{Api, id};

async fn deployments(api: &Api<'_>, service: &Value) -> Vec<Value> {
    let listed = api
        .get(&format!("/api/services/{}/deployments/", id(service)))
        .await
        .ok(200);
    listed["results"].as_array().expect("results").clone()
}

fn rollback(deployment: &Value) -> String {
    format!("/api/deployments/{}/rollback/", id(deployment))
}

pub async fn an_earlier_revision_comes_back(api: &Api<'_>) {
    let service = api.service().await;
    let target = format!("/api/services/{}/", id(&service));
    let body = r#"{"image":"nginx:1.26","port":81,"replicas_target":3,"env":{"A":"1"}}"#;
    api.patch(&target, body).await.ok(200);
    let before = deployments(api, &service).await;
    let got = api.post(&rollback(&before[0]), "").await;
    let made = got.ok(201);
    for (field, value) in [
        ("service", service["id"].clone()),
        ("version_number", json!(3)),
        ("image", json!("nginx:1.25")),
        ("port", json!(80)),
        ("replicas", json!(1)),
        ("config_snapshot", json!({})),
        ("secret_keys_snapshot", json!([])),
        ("status", json!("pending")),
        ("deployed_by", before[0]["deployed_by"].clone()),
        ("rollback_from", before[0]["id"].clone()),
        ("notes", json!("")),
        ("error_message", json!("")),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    api.get(&format!("/api/deployments/{}/", id(&made)))
        .await
        .is(200, made.clone());
    let after = deployments(api, &service).await;
    assert_eq!(after.len(), 3);
    // The one that was rolled back from says so; the one that came back is as it was.
    assert_eq!((&after[0], &after[1]["status"]), (&before[0], &json!("rolled_back")));
    assert_eq!(after[2], made);
    let shown = api.get(&target).await.ok(200);
    for field in [
        "image",
        "port",
        "replicas_target",
        "env",
        "config",
        "secret",
        "created_at",
    ] {
        assert_eq!(shown[field], service[field], "{field}");
    }
    assert!(shown["updated_at"].as_str() > service["updated_at"].as_str());

    // To the newest itself, and to one that was rolled back: whatever their status.
    let third = api.post(&rollback(&made), r#"{"notes":" again "}"#).await.ok(201);
    assert_eq!(
        (&third["rollback_from"], &third["notes"]),
        (&made["id"], &json!("again"))
    );
    let forward = api.post(&rollback(&after[1]), "{}").await.ok(201);
    assert_eq!(
        (&forward["version_number"], &forward["image"], &forward["replicas"]),
        (&json!(5), &json!("nginx:1.26"), &json!(3))
    );
    let statuses: Vec<_> = deployments(api, &service)
        .await
        .iter()
        .map(|it| it["status"].clone())
        .collect();
    assert_eq!(statuses[1..], ["rolled_back", "rolled_back", "rolled_back", "pending"]);
    assert_eq!(api.get(&target).await.ok(200)["port"], 81);
    // The next change is the next version.
    api.patch(&target, r#"{"image":"nginx:1.27"}"#).await.ok(200);
    assert_eq!(deployments(api, &service).await[5]["version_number"], 6);
}

pub async fn values_come_back_too(api: &Api<'_>) {
    let (config, secret) = (api.set("configs").await, api.set("secrets").await);
    let item = api.item("configs", &config, "MODE", "old").await;
    api.item("configs", &config, "A", "1").await;
    let password = api.item("secrets", &secret, "PASSWORD", "old").await;
    api.item("secrets", &secret, "API_TOKEN", "t").await;
    let attached = json!({
        "name": api.name(), "image": "x", "port": 1, "config": config["id"], "secret": secret["id"]
    });
    let service = api.post("/api/services/", &attached.to_string()).await.ok(201);
    let target = format!("/api/services/{}/", id(&service));
    let first = deployments(api, &service).await[0].clone();
    assert_eq!(first["config_snapshot"], json!({"A": "1", "MODE": "old"}));
    assert_eq!(first["secret_keys_snapshot"], json!(["API_TOKEN", "PASSWORD"]));

    let change = format!("/api/configs/{}/items/{}/", id(&config), id(&item));
    api.patch(&change, r#"{"value":"new"}"#).await.ok(200);
    let gone = format!("/api/secrets/{}/items/{}/", id(&secret), id(&password));
    assert_eq!(api.delete(&gone).await.status.as_u16(), 204);
    api.patch(&target, r#"{"image":"y"}"#).await.ok(200);
    let second = deployments(api, &service).await.last().expect("one").clone();
    assert_eq!(second["config_snapshot"], json!({"A": "1", "MODE": "new"}));
    assert_eq!(second["secret_keys_snapshot"], json!(["API_TOKEN"]));
    // What was is what it was.
    api.get(&format!("/api/deployments/{}/", id(&first))).await.ok(200);
    let kept = &deployments(api, &service).await[0];
    assert_eq!(kept["config_snapshot"], first["config_snapshot"]);

    let back = api.post(&rollback(&first), "").await.ok(201);
    for field in ["config_snapshot", "secret_keys_snapshot", "image"] {
        assert_eq!(back[field], first[field], "{field}");
    }
    // The items themselves stay as they are now.
    assert_eq!(api.get(&change).await.ok(200)["value"], "new");
    api.get(&gone).await.detail(404, "Not found.");

    // Also where the sets have gone meanwhile.
    api.patch(&target, r#"{"config":null,"secret":null}"#).await.ok(200);
    for (kind, set) in [("configs", &config), ("secrets", &secret)] {
        assert_eq!(
            api.delete(&format!("/api/{kind}/{}/", id(set))).await.status.as_u16(),
            204
        );
    }
    let back = api.post(&rollback(&first), "").await.ok(201);
    assert_eq!(back["config_snapshot"], first["config_snapshot"]);
    assert_eq!(back["secret_keys_snapshot"], first["secret_keys_snapshot"]);
    let shown = api.get(&target).await.ok(200);
    assert_eq!((&shown["config"], &shown["secret"]), (&json!(null), &json!(null)));
}

pub async fn how_it_is_asked_for(api: &Api<'_>) {
    let service = api.service().await;
    let first = deployments(api, &service).await[0].clone();
    let target = rollback(&first);
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let got = api.call(method, &target, "").await;
        assert_eq!(
            (got.status.as_u16(), got.header("allow")),
            (405, Some("POST, OPTIONS")),
            "{method}"
        );
    }
    let options = api.call("OPTIONS", &target, "").await;
    assert_eq!(
        (options.status.as_u16(), options.header("allow")),
        (200, Some("POST, OPTIONS"))
    );
    for unknown in ["x", "00000000-0000-4000-8000-000000000000", id(&service)] {
        let target = format!("/api/deployments/{unknown}/rollback/");
        api.post(&target, "{").await.detail(404, "Not found.");
    }
    let keys = api.target.keys().clone();
    api.call_as(&keys.other, "POST", &target, "")
        .await
        .detail(404, "Not found.");
    let refused = "You do not have permission to perform this action.";
    api.call_as(&keys.read_only, "POST", &target, "")
        .await
        .detail(403, refused);
    let got = api.post(&target, "{").await.ok(400);
    assert!(
        got["detail"]
            .as_str()
            .is_some_and(|it| it.starts_with("JSON parse error - "))
    );
    let text = "Invalid data. Expected a dictionary, but got list.";
    api.post(&target, "[]")
        .await
        .is(400, json!({"non_field_errors": [text]}));
    let got = api.post(&target, r#"{"notes":null}"#).await;
    got.is(400, json!({"notes": ["This field may not be null."]}));
    // None of these did anything.
    assert_eq!(deployments(api, &service).await.len(), 1);
    api.post(&target, r#"{"image":"ignored","unknown":[]}"#).await.ok(201);
    assert_eq!(
        api.get(&format!("/api/services/{}/", id(&service))).await.ok(200)["image"],
        service["image"]
    );
    let moved = api.call("POST", target.trim_end_matches('/'), "").await;
    assert_eq!(moved.status.as_u16(), 301);
    assert_eq!(deployments(api, &service).await.len(), 2);
}
