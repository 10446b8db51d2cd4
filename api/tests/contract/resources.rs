//! Each resource: its fields in order, its life, its rules.

use serde_json::json;

use crate::target::{Api, id, keys_in_order, moved_on};

pub async fn services(api: &Api<'_>) {
    let name = api.name();
    let got = api
        .post(
            "/api/services/",
            &format!(r#"{{"name":"{name}","image":"nginx:1.25","port":"80"}}"#),
        )
        .await;
    let made = got.ok(201);
    keys_in_order(
        &got.text(),
        &[
            "id",
            "name",
            "image",
            "port",
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
    for (field, value) in [
        ("name", json!(name)),
        ("image", json!("nginx:1.25")),
        ("port", json!(80)),
        ("replicas_target", json!(1)),
        ("replicas_running", json!(0)),
        ("status", json!("pending")),
        ("deploy_successful", json!(false)),
        ("command", json!([])),
        ("args", json!([])),
        ("env", json!({})),
        (
            "resources",
            json!({"limits": {"cpu": null, "memory": null}, "reservations": {"cpu": 0, "memory": 0}}),
        ),
        ("stop_grace_seconds", json!(10)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made.get("notes").is_none());
    let target = format!("/api/services/{}/", id(&made));
    let shown = api.get(&target).await;
    assert_eq!(shown.ok(200)["id"], made["id"]);
    assert!(
        shown.header("etag").is_some_and(|tag| tag.starts_with('"')),
        "{:?}",
        shown.header("etag")
    );

    let unchanged = api.patch(&target, "{}").await.ok(200);
    moved_on(&made, &unchanged);
    let renamed = api.name();
    let body = format!(r#"{{"name":"{renamed}","replicas_target":3,"id":"x","status":"ready","env":{{"A":"1"}}}}"#);
    let changed = api.patch(&target, &body).await.ok(200);
    moved_on(&unchanged, &changed);
    assert_eq!(
        (&changed["name"], &changed["replicas_target"]),
        (&json!(renamed), &json!(3))
    );
    // What is not given stays.
    let changed = api.patch(&target, r#"{"args":["-v"]}"#).await.ok(200);
    assert_eq!(
        (&changed["env"], &changed["args"]),
        (&json!({"A": "1"}), &json!(["-v"]))
    );
    // Its own name is fine.
    api.patch(&target, &format!(r#"{{"name":"{renamed}"}}"#)).await.ok(200);
}

pub async fn names_are_unique_within_the_account(api: &Api<'_>) {
    let unique = json!({"non_field_errors": ["The fields account, name must make a unique set."]});
    let (first, second) = (api.service().await, api.service().await);
    let name = first["name"].as_str().expect("a name");
    let project = api.project().await;
    for body in [
        json!({"name": name, "image": "x", "port": 1}),
        json!({"name": format!("  {name}\u{3000}"), "image": "x", "port": 1}),
        json!({"name": name, "image": "x", "port": 1, "project": project["id"]}),
    ] {
        api.post("/api/services/", &body.to_string())
            .await
            .is(400, unique.clone());
    }
    let target = format!("/api/services/{}/", id(&second));
    api.patch(&target, &json!({"name": name}).to_string())
        .await
        .is(400, unique.clone());
    // The case counts.
    let shouted = json!({"name": name.to_uppercase(), "image": "x", "port": 1}).to_string();
    api.post("/api/services/", &shouted).await.ok(201);
    // Another account has its own names.
    let other = api.target.keys().other.clone();
    let body = json!({"name": name, "image": "x", "port": 1}).to_string();
    let theirs = api.call_as(&other, "POST", "/api/services/", &body).await.ok(201);
    api.call_as(&other, "DELETE", &format!("/api/services/{}/", id(&theirs)), "")
        .await;
    // Projects follow the same rule.
    let body = json!({"name": project["name"]}).to_string();
    api.post("/api/projects/", &body).await.is(400, unique);
}

pub async fn deployments(api: &Api<'_>) {
    let body = json!({"name": api.name(), "image": "nginx:1.25", "port": 80, "notes": "first"}).to_string();
    let service = api.post("/api/services/", &body).await.ok(201);
    let target = format!("/api/services/{}/", id(&service));
    let listed = async || api.get(&format!("{target}deployments/")).await;
    let first = listed().await;
    keys_in_order(
        &first.text(),
        &[
            "count",
            "next",
            "previous",
            "results",
            "id",
            "service",
            "version_number",
            "image",
            "port",
            "replicas",
            "config_snapshot",
            "secret_keys_snapshot",
            "status",
            "deployed_at",
            "deployed_by",
            "rollback_from",
            "notes",
            "error_message",
            "image_digest",
            "image_source",
            "secret_versions",
            "pinned",
        ],
    );
    let first = first.ok(200)["results"][0].clone();
    for (field, value) in [
        ("service", service["id"].clone()),
        ("version_number", json!(1)),
        ("image", json!("nginx:1.25")),
        ("port", json!(80)),
        ("replicas", json!(1)),
        ("config_snapshot", json!({})),
        ("secret_keys_snapshot", json!([])),
        ("rollback_from", json!(null)),
        ("notes", json!("first")),
        ("error_message", json!("")),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    // A name or a project starts no rollout; each of the five fields does, even with the value that it has.
    api.patch(
        &target,
        &json!({"name": api.name(), "project": service["project"]}).to_string(),
    )
    .await
    .ok(200);
    assert_eq!(listed().await.json()["count"], 1);
    for (n, body) in [
        r#"{"image":"nginx:1.26"}"#,
        r#"{"image":"nginx:1.26"}"#,
        r#"{"port":81}"#,
        r#"{"replicas_target":2}"#,
        r#"{"config":null}"#,
        r#"{"secret":null}"#,
        r#"{"env":{"A":"1"}}"#,
    ]
    .iter()
    .enumerate()
    {
        api.patch(&target, body).await.ok(200);
        let page = listed().await.json();
        assert_eq!(
            (&page["count"], &page["results"][n + 1]["version_number"]),
            (&json!(n + 2), &json!(n + 2)),
            "{body}"
        );
    }
    let one = format!("/api/deployments/{}/", id(&first));
    assert_eq!(api.get(&one).await.ok(200)["version_number"], 1);
    let newest = api
        .get(&format!("{target}deployments/?ordering=-version_number"))
        .await
        .json();
    assert_eq!(newest["results"][0]["version_number"], 8);
    // What was set later is pinned later: under the names that it has in the service, which is now like its newest.
    let service = api.get(&target).await.ok(200);
    let pinned = newest["results"][0]["pinned"].as_object().expect("an object").clone();
    for (field, value) in &pinned {
        assert_eq!(value, &service[field], "{field}");
    }
    assert_eq!(
        (&pinned["env"], &first["pinned"]["env"]),
        (&json!({"A": "1"}), &json!({}))
    );
    // They go with their service.
    api.delete(&target).await;
    api.get(&one).await.detail(404, "Not found.");
}

pub async fn domains(api: &Api<'_>) {
    let hostname = format!("{}.Example.com", api.name());
    let got = api
        .post("/api/domains/", &format!(r#"{{"hostname":" {hostname} "}}"#))
        .await;
    let made = got.ok(201);
    keys_in_order(&got.text(), &["id", "hostname", "created_at", "updated_at", "project"]);
    assert_eq!(made["hostname"], hostname);
    let target = format!("/api/domains/{}/", id(&made));
    api.get(&target).await.is(200, made.clone());
    api.patch(&target, &format!(r#"{{"hostname":"{hostname}"}}"#))
        .await
        .ok(200);
    moved_on(&made, &api.patch(&target, "{}").await.ok(200));

    let taken = json!({"hostname": ["domain with this hostname already exists."]});
    let body = format!(r#"{{"hostname":"{hostname}"}}"#);
    api.post("/api/domains/", &body).await.is(400, taken.clone());
    let other = api.target.keys().other.clone();
    api.call_as(&other, "POST", "/api/domains/", &body)
        .await
        .is(400, taken.clone());
    let second = format!("/api/domains/{}/", id(&api.domain().await));
    api.patch(&second, &body).await.is(400, taken);
    // With the other fields' errors, and with regard to case.
    let body = format!(r#"{{"hostname":"{hostname}","project":true}}"#);
    api.post("/api/domains/", &body).await.is(
        400,
        json!({
            "hostname": ["domain with this hostname already exists."],
            "project": ["Incorrect type. Expected pk value, received bool."]
        }),
    );
    api.post(
        "/api/domains/",
        &format!(r#"{{"hostname":"{}"}}"#, hostname.to_uppercase()),
    )
    .await
    .ok(201);

    let project = api.project().await;
    let body = json!({"hostname": format!("{}.example.com", api.name()), "project": project["id"]}).to_string();
    let filed = api.post("/api/domains/", &body).await.ok(201);
    assert_eq!(filed["project"], project["id"]);
    let other = json!({"project": made["project"]}).to_string();
    let moved = api
        .patch(&format!("/api/domains/{}/", id(&filed)), &other)
        .await
        .ok(200);
    assert_eq!(moved["project"], made["project"]);
    let back = json!({"project": project["id"]}).to_string();
    api.patch(&format!("/api/domains/{}/", id(&filed)), &back).await.ok(200);
    let listed = api
        .get(&format!("/api/domains/?project={}", id(&project)))
        .await
        .ok(200);
    assert_eq!(
        (&listed["count"], &listed["results"][0]["id"]),
        (&json!(1), &filed["id"])
    );
}

pub async fn routes(api: &Api<'_>) {
    let (domain, service) = (api.domain().await, api.service().await);
    let body = json!({"path": " /api ", "domain": domain["id"], "service": service["id"]}).to_string();
    let got = api.post("/api/routes/", &body).await;
    let made = got.ok(201);
    keys_in_order(
        &got.text(),
        &[
            "id",
            "path",
            "enabled",
            "domain",
            "service",
            "status",
            "deploy_successful",
            "created_at",
            "updated_at",
            "project",
        ],
    );
    assert_eq!((&made["path"], &made["enabled"]), (&json!("/api"), &json!(true)));
    let target = format!("/api/routes/{}/", id(&made));
    let off = api.patch(&target, r#"{"enabled":false}"#).await.ok(200);
    assert_eq!(
        (&off["enabled"], &off["status"], &off["deploy_successful"]),
        (&json!(false), &json!("not ready"), &json!(false))
    );
    moved_on(&made, &off);
    // It follows its service into another project, and goes with it.
    let project = api.project().await;
    let moved = json!({"project": project["id"]}).to_string();
    api.patch(&format!("/api/services/{}/", id(&service)), &moved)
        .await
        .ok(200);
    let listed = api.get(&format!("/api/routes/?project={}", id(&project))).await.ok(200);
    assert_eq!(
        (&listed["count"], &listed["results"][0]["id"]),
        (&json!(1), &made["id"])
    );
    api.delete(&format!("/api/services/{}/", id(&service))).await;
    api.get(&target).await.detail(404, "Not found.");
}

pub async fn what_is_in_use_stays(api: &Api<'_>) {
    let route = api.route().await;
    let domain = format!("/api/domains/{}/", route["domain"].as_str().expect("an id"));
    let got = api.delete(&domain).await;
    let detail = got.ok(400)["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.contains(id(&route)), "{detail}");
    api.delete(&format!("/api/routes/{}/", id(&route))).await;
    assert_eq!(api.delete(&domain).await.status.as_u16(), 204);

    let project = api.project().await;
    let body = json!({"name": api.name(), "image": "x", "port": 1, "project": project["id"]}).to_string();
    let service = api.post("/api/services/", &body).await.ok(201);
    let target = format!("/api/projects/{}/", id(&project));
    let detail = api.delete(&target).await.ok(400)["detail"]
        .as_str()
        .expect("a detail")
        .to_owned();
    assert!(detail.contains(service["name"].as_str().expect("a name")), "{detail}");
    api.delete(&format!("/api/services/{}/", id(&service))).await;
    assert_eq!(api.delete(&target).await.status.as_u16(), 204);
}

pub async fn projects(api: &Api<'_>) {
    let got = api.get("/api/projects/").await;
    keys_in_order(
        &got.text(),
        &["results", "id", "name", "is_default", "created_at", "updated_at"],
    );
    let default = got.ok(200)["results"][0].clone();
    assert_eq!(
        (&default["name"], &default["is_default"]),
        (&json!("Default"), &json!(true))
    );
    assert_eq!(api.service().await["project"], default["id"]);
    assert_eq!(api.domain().await["project"], default["id"]);
    let made = api.project().await;
    let name = api.name();
    let target = format!("/api/projects/{}/", id(&made));
    let renamed = api.patch(&target, &format!(r#"{{"name":"{name}"}}"#)).await.ok(200);
    moved_on(&made, &renamed);
    api.get(&target).await.is(200, renamed);
}

pub async fn times_and_ids(api: &Api<'_>) {
    let service = api.service().await;
    for field in ["created_at", "updated_at"] {
        let text = service[field].as_str().expect("a time");
        let digits = text.split_once('.').map_or(0, |(_, rest)| rest.len() - 1);
        assert!(
            text.ends_with('Z') && [0, 6].contains(&digits) && text.as_bytes()[10] == b'T',
            "{text}"
        );
    }
    for field in ["id", "project"] {
        let text = service[field].as_str().expect("an id");
        assert!(
            text.len() == 36 && text == text.to_lowercase() && text.as_bytes()[8] == b'-',
            "{text}"
        );
    }
    for (field, kind) in [("status", "string"), ("deploy_successful", "bool")] {
        assert!(
            service[field].is_string() || service[field].is_boolean(),
            "{field} is no {kind}"
        );
    }
}
