//! Values of secrets: sealed, and shown only where one is asked for by itself.

use serde_json::json;

use crate::target::{Api, id, keys_in_order};
use crate::values::{refused, run, taken};

pub async fn values_are_shown_to_those_who_ask_for_one(api: &Api<'_>) {
    let set = api.set("secrets").await;
    let items = format!("/api/secrets/{}/items/", id(&set));
    let got = api.post(&items, r#"{"key":"PASSWORD","value":"canary-1"}"#).await;
    let made = got.ok(201);
    keys_in_order(
        &got.text(),
        &[
            "id",
            "secret",
            "key",
            "value",
            "created_at",
            "updated_at",
            "last_accessed_at",
            "last_accessed_by",
        ],
    );
    for (field, value) in [
        ("value", json!("canary-1")),
        ("last_accessed_at", json!(null)),
        ("last_accessed_by", json!(null)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let target = format!("{items}{}/", id(&made));
    for query in ["", "?ordering=value", "?ordering=-value,key"] {
        let listed = api.get(&format!("{items}{query}")).await;
        assert_eq!(listed.ok(200)["results"][0]["value"], json!(null));
        assert!(!listed.text().contains("canary"));
    }
    // Lists do not count as reading.
    assert_eq!(
        api.get(&items).await.json()["results"][0]["last_accessed_at"],
        json!(null)
    );
    let read = api.get(&target).await;
    let tag = read.header("etag").map(str::to_owned);
    let read = read.ok(200);
    assert_eq!(read["value"], "canary-1");
    assert!(read["last_accessed_at"].is_string(), "{read}");
    assert_eq!(
        read["last_accessed_by"],
        api.get("/api/auth/me/").await.ok(200)["username"]
    );
    let again = api.get(&target).await;
    assert!(again.json()["last_accessed_at"].as_str() > read["last_accessed_at"].as_str());
    assert_eq!(again.json()["updated_at"], made["updated_at"]);
    assert_eq!(again.header("etag"), tag.as_deref());
    let listed = api.get(&items).await.json();
    assert_eq!(
        listed["results"][0]["last_accessed_at"],
        again.json()["last_accessed_at"]
    );

    // What was sent is answered, what was not stays hidden.
    let changed = api.patch(&target, r#"{"value":"canary-2"}"#).await.ok(200);
    assert_eq!(changed["value"], "canary-2");
    assert_eq!(changed["last_accessed_at"], again.json()["last_accessed_at"]);
    for body in [r#"{"key":"TOKEN"}"#, "", "{}"] {
        assert_eq!(api.patch(&target, body).await.ok(200)["value"], json!(null), "{body}");
        assert_eq!(api.get(&target).await.ok(200)["value"], "canary-2", "{body}");
    }
    let both = api
        .patch(&target, r#"{"key":"PASSWORD","value":"canary-3"}"#)
        .await
        .ok(200);
    assert_eq!((&both["key"], &both["value"]), (&json!("PASSWORD"), &json!("canary-3")));
    assert_eq!(api.get(&target).await.ok(200)["value"], "canary-3");

    // Deployments know keys only.
    let body = json!({"name": api.name(), "image": "x", "port": 1, "secret": set["id"]}).to_string();
    let service = api.post("/api/services/", &body).await.ok(201);
    let rollout = api.get(&format!("/api/services/{}/deployments/", id(&service))).await;
    assert_eq!(
        rollout.ok(200)["results"][0]["secret_keys_snapshot"],
        json!(["PASSWORD"])
    );
    assert!(!rollout.text().contains("canary"));
}

pub async fn keys_are_environment_names(api: &Api<'_>) {
    let set = api.set("secrets").await;
    let item = api.item("secrets", &set, "KEY", "1").await;
    let target = format!("/api/secrets/{}/items/{}/", id(&set), id(&item));
    let text = "Keys of secrets are names of environment variables: letters A to Z, digits and underscores, not \
        beginning with a digit.";
    let mut cases: Vec<_> = [
        "a-b", "a.b", "a b", "a=b", "1a", "8080", "\u{e9}", "a/b", "../x", "a\\nb",
    ]
    .iter()
    .map(|sent| refused(&format!("\"{sent}\""), text))
    .collect();
    cases.extend(["_", "a", "Z9_", "__A1"].map(|sent| taken(&format!("\" {sent} \""), json!(sent))));
    run(api, &target, "key", cases).await;
}

pub async fn a_key_without_the_right_does_not_read_values(api: &Api<'_>) {
    let body = r#"{"name":"deployer","scope":"no_secret_values"}"#;
    let made = api.post("/api/api-keys/", body).await.ok(201);
    assert_eq!(made["scope"], "no_secret_values");
    let key = made["key"].as_str().expect("the key");
    let set = api.set("secrets").await;
    let items = format!("/api/secrets/{}/items/", id(&set));
    let item = api
        .call_as(key, "POST", &items, r#"{"key":"K","value":"1"}"#)
        .await
        .ok(201);
    let target = format!("{items}{}/", id(&item));
    let refused = "You do not have permission to perform this action.";
    api.call_as(key, "GET", &target, "").await.detail(403, refused);
    api.call_as(key, "GET", &items, "").await.ok(200);
    api.call_as(key, "PATCH", &target, r#"{"value":"2"}"#).await.ok(200);
    api.call_as(key, "PATCH", &target, r#"{"key":"L"}"#).await.ok(200);
    let shown = api.get(&target).await.ok(200);
    assert_eq!((&shown["key"], &shown["value"]), (&json!("L"), &json!("2")));
    let reader = api.target.keys().read_only.clone();
    assert_eq!(api.call_as(&reader, "GET", &target, "").await.ok(200)["value"], "2");
    api.call_as(&reader, "PATCH", &target, "{}").await.detail(403, refused);
    assert_eq!(
        api.delete(&format!("/api/api-keys/{}/", id(&made)))
            .await
            .status
            .as_u16(),
        204
    );
}

pub async fn an_item_is_made_once(api: &Api<'_>) {
    let set = api.set("secrets").await;
    let items = format!("/api/secrets/{}/items/", id(&set));
    let (bearer, promise) = (format!("Bearer {}", api.target.keys().full), api.name());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", &promise),
    ];
    let post = async |body: &str| api.raw("POST", &items, &headers, body.as_bytes()).await;
    let body = r#"{"key":"K","value":"once"}"#;
    let first = post(body).await.ok(201);
    api.patch(&format!("{items}{}/", id(&first)), r#"{"value":"later"}"#)
        .await
        .ok(200);
    post(body).await.is(201, first.clone());
    assert_eq!(first["value"], "once");
    post(r#"{"key":"K","value":"twice"}"#).await.ok(422);
    assert_eq!(api.get(&items).await.ok(200)["count"], 1);
}
