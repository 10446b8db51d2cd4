//! Workers: services without a port.

use serde_json::json;

use crate::target::{Api, id, keys_in_order, moved_on};

pub async fn workers(api: &Api<'_>) {
    let name = api.name();
    // A port is an unknown field here.
    let body = json!({"name": name, "image": "nginx:1.25", "port": "no port", "replicas_target": "2"}).to_string();
    let got = api.post("/api/workers/", &body).await;
    let made = got.ok(201);
    keys_in_order(
        &got.text(),
        &[
            "id",
            "name",
            "image",
            "replicas_target",
            "replicas_running",
            "status",
            "config",
            "secret",
            "deploy_successful",
            "project",
            "created_at",
            "updated_at",
            "command",
            "args",
            "env",
            "resources",
            "stop_grace_seconds",
            "status_reason",
        ],
    );
    assert!(made.get("port").is_none(), "{made}");
    for (field, value) in [
        ("name", json!(name)),
        ("replicas_target", json!(2)),
        ("replicas_running", json!(0)),
        ("status", json!("pending")),
        ("deploy_successful", json!(false)),
        ("stop_grace_seconds", json!(10)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let target = format!("/api/workers/{}/", id(&made));
    let shown = api.get(&target).await;
    assert_eq!(shown.ok(200)["id"], made["id"]);
    assert!(shown.header("etag").is_some());
    let changed = api.patch(&target, r#"{"port":81,"args":["-v"]}"#).await.ok(200);
    moved_on(&made, &changed);
    assert_eq!((&changed["args"], changed.get("port")), (&json!(["-v"]), None));
    for bad in [
        json!({"name": "x".repeat(33)}),
        json!({"image": ""}),
        json!({"replicas_target": 13}),
    ] {
        api.patch(&target, &bad.to_string()).await.ok(400);
    }
    assert_eq!(api.delete(&target).await.status.as_u16(), 204);
    api.get(&target).await.detail(404, "Not found.");
}

pub async fn they_are_no_services(api: &Api<'_>) {
    let (worker, service) = (api.worker().await, api.service().await);
    for (kind, object) in [("services", &worker), ("workers", &service)] {
        for below in ["", "deployments/", "replicas/"] {
            let target = format!("/api/{kind}/{}/{below}", id(object));
            api.get(&target).await.detail(404, "Not found.");
        }
        let target = format!("/api/{kind}/{}/", id(object));
        api.patch(&target, "{}").await.detail(404, "Not found.");
        api.delete(&target).await.detail(404, "Not found.");
    }
    // Nothing can be routed to one.
    let domain = api.domain().await;
    let body = json!({"path": "/", "domain": domain["id"], "service": worker["id"]}).to_string();
    let text = format!("Invalid pk \"{}\" - object does not exist.", id(&worker));
    api.post("/api/routes/", &body)
        .await
        .is(400, json!({"service": [text]}));
    // They are listed apart.
    let project = api.project().await;
    let filed = json!({"project": project["id"]}).to_string();
    api.patch(&format!("/api/workers/{}/", id(&worker)), &filed)
        .await
        .ok(200);
    for (kind, count) in [("workers", 1), ("services", 0)] {
        let listed = api.get(&format!("/api/{kind}/?project={}", id(&project))).await.ok(200);
        assert_eq!(listed["count"], count, "{kind}");
    }
    // And hold their project back.
    let got = api.delete(&format!("/api/projects/{}/", id(&project))).await.ok(400);
    let named = format!("worker {}", worker["name"].as_str().expect("a name"));
    assert!(got["detail"].as_str().is_some_and(|it| it.contains(&named)), "{got}");
}

pub async fn names_of_their_own(api: &Api<'_>) {
    let (worker, service) = (api.worker().await, api.service().await);
    // A service's name is free for a worker.
    let body = json!({"name": service["name"], "image": "x"}).to_string();
    api.post("/api/workers/", &body).await.ok(201);
    let body = json!({"name": worker["name"], "image": "x"}).to_string();
    let unique = json!({"non_field_errors": ["The fields account, name must make a unique set."]});
    api.post("/api/workers/", &body).await.is(400, unique.clone());
    let second = format!("/api/workers/{}/", id(&api.worker().await));
    let taken = json!({"name": worker["name"]}).to_string();
    api.patch(&second, &taken).await.is(400, unique);
    api.patch(&format!("/api/workers/{}/", id(&worker)), &taken)
        .await
        .ok(200);
    let other = api.target.keys().other.clone();
    let theirs = api.call_as(&other, "POST", "/api/workers/", &body).await.ok(201);
    let target = format!("/api/workers/{}/", id(&theirs));
    api.get(&target).await.detail(404, "Not found.");
    api.call_as(&other, "DELETE", &target, "").await;
}

pub async fn their_deployments_and_replicas(api: &Api<'_>) {
    let worker = api.worker().await;
    let target = format!("/api/workers/{}/", id(&worker));
    api.patch(&target, r#"{"port":81}"#).await.ok(200);
    api.patch(&target, r#"{"image":"nginx:1.26"}"#).await.ok(200);
    let listed = api.get(&format!("{target}deployments/")).await.ok(200);
    assert_eq!(listed["count"], 2);
    let second = &listed["results"][1];
    for (field, value) in [
        ("service", worker["id"].clone()),
        ("version_number", json!(2)),
        ("image", json!("nginx:1.26")),
        ("port", json!(null)),
    ] {
        assert_eq!(second[field], value, "{field}");
    }
    let one = format!("/api/deployments/{}/", id(second));
    assert_eq!(&api.get(&one).await.ok(200), second);
    assert!(api.get(&format!("{target}replicas/")).await.ok(200)["count"].is_number());
    for below in ["deployments", "replicas"] {
        let got = api.post(&format!("{target}{below}/"), "{}").await;
        got.detail(405, "Method \"POST\" not allowed.");
        assert_eq!(got.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    let back = api
        .post(&format!("/api/deployments/{}/rollback/", id(&listed["results"][0])), "")
        .await;
    assert_eq!(back.ok(201)["port"], json!(null));
    assert_eq!(api.get(&target).await.ok(200)["image"], "nginx:1.25");
    api.delete(&target).await;
    api.get(&one).await.detail(404, "Not found.");
}
