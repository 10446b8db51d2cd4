//! A node that lags judges requests by what it has, and nobody can tell. These reach behind the API.

use api::{ApiConfig, ControlPlane as _, RateLimit};
use model::{Actor, Command, State};
use serde_json::json;

use crate::in_process::InProcess;
use crate::target::{Api, id};

fn now(target: &InProcess) -> State {
    target.control.local()
}

#[tokio::test]
async fn a_change_asks_nobody_first_and_a_refusal_does() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let asked = async |method: &str, path: &str, body: &str, status: u16| {
        let before = target.control.reads();
        let got = api.call(method, path, body).await;
        assert_eq!(got.status.as_u16(), status, "{method} {path}: {}", got.text());
        target.control.reads() - before
    };
    assert_eq!(asked("POST", "/api/projects/", r#"{"name":"a"}"#, 201).await, 0);
    let service = api.service().await;
    let path = format!("/api/services/{}/", id(&service));
    assert_eq!(asked("PATCH", &path, r#"{"name":"b"}"#, 200).await, 0);
    assert_eq!(asked("DELETE", &path, "", 204).await, 0);
    // What the command itself was told stands.
    assert_eq!(asked("POST", "/api/projects/", r#"{"name":"a"}"#, 400).await, 0);
    for (method, path, body, status) in [
        ("DELETE", path.as_str(), "", 404),
        ("POST", "/api/projects/", "{}", 400),
        ("PUT", "/api/projects/", "{}", 405),
        // Not everything that these commands are made from is looked at again.
        ("POST", "/api/join-tokens/", "", 201),
        ("POST", "/api/api-keys/", r#"{"name":"k"}"#, 201),
    ] {
        assert_eq!(asked(method, path, body, status).await, 1, "{method} {path}");
    }
}

#[tokio::test]
async fn who_may_not_ask_any_more_is_refused() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let made = api.post("/api/api-keys/", r#"{"name":"lost"}"#).await.ok(201);
    let lost = made["key"].as_str().expect("a key");
    let body = r#"{"name":"by the thief"}"#;
    let retry = [
        ("authorization", &*format!("Bearer {lost}")),
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let project = br#"{"name":"before"}"#;
    assert_eq!(api.raw("POST", "/api/projects/", &retry, project).await.status, 201);

    let secret = api.set("secrets").await;
    let item = api.item("secrets", &secret, "KEY", "value").await;
    let before = now(&target);
    api.call("DELETE", &format!("/api/api-keys/{}/", id(&made)), "").await;
    let behind = || target.control.fall_behind(before.clone());
    behind();
    api.call_as(lost, "POST", "/api/projects/", body)
        .await
        .detail(401, "Invalid token.");
    // Nor is told again what was answered before.
    behind();
    api.raw("POST", "/api/projects/", &retry, project)
        .await
        .detail(401, "Invalid token.");
    // What a node has may be shown for as long as the node knows no better, but not a value of a secret.
    behind();
    let local = format!("/api/secrets/{}/items/{}/?consistency=local", id(&secret), id(&item));
    api.call_as(lost, "GET", &local, "").await.detail(401, "Invalid token.");
    assert_eq!(api.get("/api/projects/").await.ok(200)["count"], 2);
}

#[tokio::test]
async fn who_is_no_admin_any_more_does_not_pass_for_one() {
    let target = InProcess::new();
    let state = now(&target);
    let other = state.account_by_name("other").expect("an account").id;
    let is_admin = |is_admin| {
        let patch = model::AccountPatch {
            is_admin: Some(is_admin),
            ..model::AccountPatch::default()
        };
        let done = target
            .control
            .apply(Actor::System, Command::UpdateAccount(other, patch));
        done.expect("the account is changed");
    };
    is_admin(true);
    let (api, before) = (Api::new(&target), now(&target));
    is_admin(false);
    target.control.fall_behind(before);
    let body = r#"{"name":"w","image":"x","port":1,"volumes":[{"source":"/etc","target":"/mnt"}]}"#;
    let key = &crate::target::Target::keys(&target).other;
    let got = api.call_as(key, "POST", "/api/services/", body).await.ok(400);
    assert!(got["volumes"].is_array(), "{got}");
}

#[tokio::test]
async fn what_others_changed_meanwhile_is_not_undone() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let service = api.service().await;
    let (path, before) = (format!("/api/services/{}/", id(&service)), now(&target));
    api.patch(&path, r#"{"env":{"A":"1"}}"#).await.ok(200);
    target.control.fall_behind(before);
    let got = api.patch(&path, r#"{"command":["run"]}"#).await.ok(200);
    assert_eq!((&got["env"], &got["command"]), (&json!({"A": "1"}), &json!(["run"])));
}

#[tokio::test]
async fn a_refused_command_is_told_as_by_a_node_that_knows_and_costs_once() {
    let target = InProcess::with_config(ApiConfig {
        rate_limit: RateLimit::PerHour(3),
        ..ApiConfig::default()
    });
    let api = Api::new(&target);
    let before = now(&target);
    let taken = r#"{"hostname":"a.example.com"}"#;
    api.post("/api/domains/", taken).await.ok(201);
    target.control.fall_behind(before);
    let got = api.post("/api/domains/", taken).await.ok(400);
    assert!(got["hostname"].is_array(), "{got}");
    api.post("/api/projects/", r#"{"name":"third"}"#).await.ok(201);
    api.post("/api/projects/", r#"{"name":"fourth"}"#).await.ok(429);
}
