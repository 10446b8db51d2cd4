//! Rate limits. Only against the control plane in memory, whose clock can be moved.

use std::time::Duration;

use api::{ApiConfig, RateLimit};
use serde_json::json;

use crate::in_process::InProcess;
use crate::target::{Api, Got, id};

fn limited() -> InProcess {
    InProcess::with_config(ApiConfig {
        rate_limit: RateLimit::PerHour(5),
        secret_limit: RateLimit::PerHour(2),
        ..ApiConfig::default()
    })
}

#[track_caller]
fn throttled(got: &Got) -> u64 {
    let seconds: u64 = got.header("retry-after").expect("a time").parse().expect("seconds");
    got.detail(
        429,
        &format!("Request was throttled. Expected available in {seconds} seconds."),
    );
    seconds
}

#[tokio::test]
async fn changes_are_counted_by_account_whatever_becomes_of_them() {
    let target = limited();
    let api = Api::new(&target);
    let service = api.service().await;
    let path = format!("/api/services/{}/", id(&service));
    api.patch(&path, "{}").await.ok(200);
    api.patch(&path, "broken").await.ok(400);
    api.post("/api/services/", "{}").await.ok(400);
    api.call("PUT", &path, "{}").await.ok(405);
    let wait = throttled(&api.delete(&path).await);
    assert!((3590..=3600).contains(&wait), "{wait}");
    throttled(&api.delete("/api/services/unknown/").await);
    throttled(&api.call("FOO", &path, "").await);
    api.get(&path).await.ok(200);
    api.call("OPTIONS", &path, "").await.ok(200);
    // Permission is judged before, and others have an allowance of their own.
    let reader = &api.target.keys().read_only;
    api.call_as(reader, "DELETE", &path, "")
        .await
        .detail(403, "You do not have permission to perform this action.");
    let other = &api.target.keys().other;
    let body = json!({"name": api.name()}).to_string();
    api.call_as(other, "POST", "/api/projects/", &body).await.ok(201);
    target.control.advance(Duration::from_secs(3600));
    assert_eq!(api.delete(&path).await.status.as_u16(), 204);
}

#[tokio::test]
async fn reading_values_of_secrets_has_an_allowance_of_its_own() {
    let target = limited();
    let api = Api::new(&target);
    let secret = api.post("/api/secrets/", r#"{"name":"s"}"#).await.ok(201);
    let items = format!("/api/secrets/{}/items/", id(&secret));
    let item = api.post(&items, r#"{"key":"PW","value":"hidden"}"#).await.ok(201);
    let path = format!("{items}{}/", id(&item));
    api.get(&items).await.ok(200);
    for _ in 0..2 {
        assert_eq!(api.get(&path).await.ok(200)["value"], json!("hidden"));
    }
    throttled(&api.get(&path).await);
    throttled(&api.get(&format!("{items}unknown/")).await);
    api.get(&items).await.ok(200);
    api.patch(&path, r#"{"value":"new"}"#).await.ok(200);
}
