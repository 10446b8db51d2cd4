//! `If-Match` and `Idempotency-Key`.

use serde_json::json;

use crate::target::{Api, Got, id};

async fn with(api: &Api<'_>, method: &str, target: &str, header: (&str, &str), body: &str) -> Got {
    let key = format!("Bearer {}", api.target.keys().full);
    let mut headers = vec![("authorization", key.as_str()), header];
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    api.raw(method, target, &headers, body.as_bytes()).await
}

pub async fn an_object_is_changed_as_it_was_seen_or_not_at_all(api: &Api<'_>) {
    let service = api.service().await;
    let path = format!("/api/services/{}/", id(&service));
    let seen = api.get(&path).await.header("etag").expect("a tag").to_owned();
    let name = api.name();
    let body = json!({ "name": name }).to_string();
    let changed = with(api, "PATCH", &path, ("if-match", &seen), &body).await;
    assert_eq!(changed.ok(200)["name"], name.as_str());
    assert_ne!(changed.header("etag"), Some(seen.as_str()));
    let late = "The object has changed since it was read. Read it again and retry.";
    with(api, "PATCH", &path, ("if-match", &seen), &body)
        .await
        .detail(412, late);
    with(api, "PATCH", &path, ("if-match", &seen), "not json")
        .await
        .detail(412, late);
    with(api, "DELETE", &path, ("if-match", &seen), "")
        .await
        .detail(412, late);
    with(api, "PATCH", &path, ("if-match", "*"), "{}").await.ok(200);
    let now = api.get(&path).await.header("etag").expect("a tag").to_owned();
    let either = format!("{seen}, {now}");
    let gone = with(api, "DELETE", &path, ("if-match", &either), "").await;
    assert_eq!(gone.status.as_u16(), 204);
    with(api, "DELETE", &path, ("if-match", &either), "")
        .await
        .detail(404, "Not found.");
}

pub async fn the_same_idempotency_key_gives_the_first_answer(api: &Api<'_>) {
    let promise = ("idempotency-key", api.name());
    let promise = (promise.0, promise.1.as_str());
    let body = json!({"name": api.name(), "image": "nginx:1.25", "port": 80}).to_string();
    let first = with(api, "POST", "/api/services/", promise, &body).await;
    let path = format!("/api/services/{}/", id(&first.ok(201)));
    api.patch(&path, r#"{"replicas_target":3}"#).await.ok(200);
    let again = with(api, "POST", "/api/services/", promise, &body).await;
    again.is(201, first.json());
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(api.delete(&path).await.status.as_u16(), 204);
    with(api, "POST", "/api/services/", promise, &body)
        .await
        .is(201, first.json());

    let promise = ("idempotency-key", api.name());
    let promise = (promise.0, promise.1.as_str());
    let key = with(api, "POST", "/api/api-keys/", promise, r#"{"name":"k"}"#).await;
    let again = with(api, "POST", "/api/api-keys/", promise, r#"{"name":"k"}"#).await;
    again.is(201, key.ok(201));
    let text = key.json()["key"].as_str().expect("the key").to_owned();
    api.call_as(&text, "GET", "/api/services/", "").await.ok(200);
    let path = format!("/api/api-keys/{}/", id(&key.json()));
    assert_eq!(api.delete(&path).await.status.as_u16(), 204);
}

pub async fn changes_and_deletions_take_effect_once_under_an_idempotency_key(api: &Api<'_>) {
    let service = api.service().await;
    let path = format!("/api/services/{}/", id(&service));
    let names = [api.name(), api.name()];
    let [change, removal] = names.each_ref().map(|it| ("idempotency-key", it.as_str()));
    let first = with(api, "PATCH", &path, change, r#"{"port":81}"#).await;
    assert_eq!(first.ok(200)["port"], 81);
    api.patch(&path, r#"{"port":82}"#).await.ok(200);
    let again = with(api, "PATCH", &path, change, r#"{"port":81}"#).await;
    assert_eq!(again.ok(200)["port"], 81);
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(api.get(&path).await.ok(200)["port"], 82);
    let deployments = api.get(&format!("{path}deployments/")).await.ok(200);
    assert_eq!(deployments["count"], 3);

    let reused = "This idempotency key was used for another request. Take a new one.";
    with(api, "PATCH", &path, change, r#"{"port":83}"#)
        .await
        .detail(422, reused);
    with(api, "DELETE", &path, change, "").await.detail(422, reused);
    for _ in 0..2 {
        let gone = with(api, "DELETE", &path, removal, "").await;
        assert_eq!((gone.status.as_u16(), gone.text()), (204, String::new()));
    }
    let again = with(api, "PATCH", &path, change, r#"{"port":81}"#).await;
    assert_eq!(again.ok(200)["port"], 81);
    api.delete(&path).await.detail(404, "Not found.");
}

pub async fn an_idempotency_key_is_for_one_request_of_one_account(api: &Api<'_>) {
    let name = api.name();
    let promise = ("idempotency-key", name.as_str());
    let body = json!({ "name": name }).to_string();
    with(api, "POST", "/api/projects/", promise, &body).await.ok(201);
    let reused = "This idempotency key was used for another request. Take a new one.";
    with(api, "POST", "/api/projects/", promise, r#"{"name":"other"}"#)
        .await
        .detail(422, reused);
    let hostname = json!({"hostname": name}).to_string();
    with(api, "POST", "/api/domains/", promise, &hostname)
        .await
        .detail(422, reused);
    let other = format!("Bearer {}", api.target.keys().other);
    let headers = [
        ("authorization", other.as_str()),
        ("content-type", "application/json"),
        promise,
    ];
    api.raw("POST", "/api/projects/", &headers, body.as_bytes())
        .await
        .ok(201);
    for bad in ["", &"x".repeat(256), "\u{e9}"] {
        let refused = with(api, "POST", "/api/projects/", ("idempotency-key", bad), "{}").await;
        let text = "An idempotency key has 1 to 255 visible ASCII characters.";
        refused.is(400, json!({"Idempotency-Key": [text]}));
    }
    // A refusal is an answer as well.
    let fresh = api.name();
    let promise = ("idempotency-key", fresh.as_str());
    let refused = with(api, "POST", "/api/projects/", promise, &body).await;
    let taken = json!({"non_field_errors": ["The fields account, name must make a unique set."]});
    refused.is(400, taken.clone());
    with(api, "POST", "/api/projects/", promise, &body).await.is(400, taken);
}
