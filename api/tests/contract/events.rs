//! Events: listed, filtered, followed.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::in_process::InProcess;
use crate::target::{Api, Target as _, id};

fn kinds(list: &Value) -> Vec<&str> {
    let rows = list["results"].as_array().expect("a list");
    rows.iter().map(|it| it["kind"].as_str().expect("a kind")).collect()
}

/// A stream, and what has come of it.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(target: &InProcess, path: &str, key: &str, last: Option<&str>) -> Self {
        let mut request = http::Request::get(path).header("authorization", format!("Bearer {key}"));
        request = request.header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = target.router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self {
            body: response.into_body(),
            text: String::new(),
        };
        stream.more().await.expect("a greeting");
        stream
    }

    async fn more(&mut self) -> Option<()> {
        let frame = self.body.frame().await?.expect("a piece").into_data().expect("bytes");
        self.text += std::str::from_utf8(&frame).expect("text");
        Some(())
    }

    /// Reads on until this has come.
    async fn until(&mut self, text: &str) {
        while !self.text.contains(text) {
            self.more().await.expect("more");
        }
    }

    fn events(&self) -> Vec<Value> {
        let lines = self.text.lines().filter_map(|it| it.strip_prefix("data: "));
        lines.map(|it| serde_json::from_str(it).expect("an event")).collect()
    }
}

#[tokio::test]
async fn an_account_sees_what_happened_to_its_things_and_an_admin_everything() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let service = api.service().await;
    let path = format!("/api/services/{}/", id(&service));
    assert_eq!(api.delete(&path).await.status.as_u16(), 204);
    let of_it = api.get(&format!("/api/events/?object={}", id(&service))).await.ok(200);
    assert_eq!(kinds(&of_it), ["service.created", "service.deleted"]);
    let first = &of_it["results"][0];
    assert_eq!(
        (&first["actor"], &first["object_name"]),
        (&json!("admin"), &service["name"])
    );
    let deleted = api.get("/api/events/?kind=service.deleted").await.ok(200);
    assert_eq!(kinds(&deleted), ["service.deleted"]);
    let services = api.get("/api/events/?kind=service&ordering=-id").await.ok(200);
    assert_eq!(kinds(&services), ["service.deleted", "service.created"]);
    let node = api.get("/api/events/?kind=node").await.ok(200);
    assert_eq!(
        (kinds(&node), &node["results"][0]["account"]),
        (vec!["node.created"], &Value::Null)
    );
    let after = format!("/api/events/?after={}&kind=service", first["id"]);
    assert_eq!(kinds(&api.get(&after).await.ok(200)), ["service.deleted"]);
    api.get("/api/events/?after=x")
        .await
        .is(400, json!({"after": ["A valid integer is required."]}));

    let other = target.keys().other.clone();
    let own = api
        .call_as(&other, "GET", "/api/events/?kind=service", "")
        .await
        .ok(200);
    assert_eq!(own["count"], json!(0));
    assert_eq!(
        api.call_as(&other, "GET", "/api/events/?kind=node", "").await.ok(200)["count"],
        json!(0)
    );
}

#[tokio::test]
async fn a_read_of_a_secret_is_on_record_without_its_value() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let secret = api.post("/api/secrets/", r#"{"name":"db"}"#).await.ok(201);
    let items = format!("/api/secrets/{}/items/", id(&secret));
    let item = api.post(&items, r#"{"key":"PW","value":"canary"}"#).await.ok(201);
    api.get(&format!("{items}{}/", id(&item))).await.ok(200);
    let list = api.get("/api/events/?kind=secret.accessed").await;
    let event = &list.ok(200)["results"][0];
    assert_eq!(
        (&event["object_id"], &event["object_name"]),
        (&item["id"], &json!("PW"))
    );
    assert_eq!(
        (&event["actor"], &event["note"]),
        (&json!("admin"), &json!("of secret db"))
    );
    assert!(!api.get("/api/events/").await.text().contains("canary"));
}

#[tokio::test]
async fn a_follower_misses_nothing_and_resumes_where_it_was() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let key = target.keys().full.clone();
    let mut stream = Stream::open(&target, "/api/events/?follow=1&kind=domain", &key, None).await;
    let (one, two) = (api.domain().await, api.domain().await);
    stream.until(id(&two)).await;
    let seen = stream.events();
    assert_eq!([&seen[0]["object_id"], &seen[1]["object_id"]], [&one["id"], &two["id"]]);
    let last = seen[0]["id"].to_string();
    drop(stream);
    api.service().await;
    let three = api.domain().await;
    let mut stream = Stream::open(&target, "/api/events/?follow=1&kind=domain", &key, Some(&last)).await;
    stream.until(id(&three)).await;
    let ids: Vec<_> = stream.events().iter().map(|it| it["object_id"].clone()).collect();
    assert_eq!(ids, [two["id"].clone(), three["id"].clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_says_that_it_lives_and_a_revoked_key_ends_it() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let key = api.post("/api/api-keys/", r#"{"name":"k"}"#).await.ok(201);
    let text = key["key"].as_str().expect("the key").to_owned();
    let mut stream = Stream::open(&target, "/api/events/?follow=1&kind=route", &text, None).await;
    tokio::time::advance(Duration::from_secs(15)).await;
    stream.until(": still here").await;
    let path = format!("/api/api-keys/{}/", id(&key));
    assert_eq!(api.delete(&path).await.status.as_u16(), 204);
    while stream.more().await.is_some() {}
}
