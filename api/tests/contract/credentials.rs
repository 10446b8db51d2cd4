//! Who asks.

use serde_json::json;

use crate::target::{Api, id};

const NONE: &str = "Authentication credentials were not provided.";
const INVALID: &str = "Invalid token.";

pub async fn headers(api: &Api<'_>) {
    let keys = api.target.keys().clone();
    let full = keys.full.as_str();
    let bearer = format!("Bearer {full}");
    let shouted = format!("bEaReR     {full}");
    let wrong_case = format!("Bearer {}", full.to_uppercase());
    let basic = format!("Basic {full}");
    let token = format!("Token {full}");
    let spaces = format!("Bearer {full} more");
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(Headers<'_>, Result<(), &str>)] = &[
        (&[("authorization", &bearer)], Ok(())),
        (&[("authorization", &shouted)], Ok(())),
        (&[("x-api-key", full)], Ok(())),
        (&[("X-API-KEY", full)], Ok(())),
        (&[("authorization", &basic), ("x-api-key", full)], Ok(())),
        (&[("authorization", ""), ("x-api-key", full)], Ok(())),
        (&[("cookie", "sessionid=unknown"), ("x-api-key", full)], Ok(())),
        (&[], Err(NONE)),
        (&[("authorization", "")], Err(NONE)),
        (&[("authorization", full)], Err(NONE)),
        (&[("authorization", &basic)], Err(NONE)),
        (&[("authorization", &token)], Err(NONE)),
        (&[("x-api-key", "")], Err(NONE)),
        (&[("cookie", "sessionid=unknown")], Err(NONE)),
        (
            &[("authorization", "Bearer")],
            Err("Invalid token header. No credentials provided."),
        ),
        (
            &[("authorization", "Bearer "), ("x-api-key", full)],
            Err("Invalid token header. No credentials provided."),
        ),
        (
            &[("authorization", &spaces)],
            Err("Invalid token header. Token string should not contain spaces."),
        ),
        (&[("authorization", &wrong_case)], Err(INVALID)),
        (&[("authorization", "Bearer gob_unknown")], Err(INVALID)),
        (
            &[("authorization", "Bearer gob_unknown"), ("x-api-key", full)],
            Err(INVALID),
        ),
        (&[("x-api-key", "gob_unknown")], Err(INVALID)),
    ];
    for (headers, expected) in cases {
        let got = api.raw("GET", "/api/services/", headers, b"").await;
        match expected {
            Ok(()) => assert_eq!(got.status.as_u16(), 200, "{headers:?}"),
            Err(text) => {
                got.detail(401, text);
                assert_eq!(got.header("www-authenticate"), Some("Bearer"), "{headers:?}");
            }
        }
    }
    api.raw("GET", &format!("/api/services/?key={full}&token={full}"), &[], b"")
        .await
        .detail(401, NONE);
}

pub async fn a_read_only_key_reads(api: &Api<'_>) {
    let key = api.target.keys().read_only.clone();
    let object = format!("/api/services/{}/", id(&api.service().await));
    for (method, target) in [
        ("GET", "/api/services/"),
        ("HEAD", "/api/services/"),
        ("OPTIONS", "/api/services/"),
        ("GET", &object),
        ("HEAD", &object),
        ("OPTIONS", &object),
    ] {
        assert_eq!(
            api.call_as(&key, method, target, "").await.status.as_u16(),
            200,
            "{method} {target}"
        );
    }
    for (method, target) in [
        ("POST", "/api/services/"),
        ("PATCH", &object),
        ("DELETE", &object),
        ("PUT", &object),
        ("POST", "/api/api-keys/"),
    ] {
        let got = api.call_as(&key, method, target, "{").await;
        got.detail(403, "You do not have permission to perform this action.");
    }
    api.get(&object).await.ok(200);
}

pub async fn a_key_is_shown_once_and_works_until_it_is_revoked(api: &Api<'_>) {
    let made = api
        .post("/api/api-keys/", r#"{"name":" ci ","scope":"read_only"}"#)
        .await
        .ok(201);
    let key = made["key"].as_str().expect("the key").to_owned();
    assert!(key.starts_with("gob_") && key.len() > 40, "{key}");
    assert_eq!(
        (&made["name"], &made["scope"], &made["expires_at"]),
        (&json!("ci"), &json!("read_only"), &json!(null))
    );
    let target = format!("/api/api-keys/{}/", id(&made));
    let mut shown = made.clone();
    shown.as_object_mut().expect("an object").remove("key");
    api.get(&target).await.is(200, shown);
    assert!(!api.get("/api/api-keys/").await.text().contains(&key));

    api.call_as(&key, "GET", "/api/services/", "").await.ok(200);
    assert_eq!(api.delete(&target).await.status.as_u16(), 204);
    api.call_as(&key, "GET", "/api/services/", "")
        .await
        .detail(401, INVALID);
    api.get(&target).await.detail(404, "Not found.");
}

pub async fn keys_are_checked_like_everything_else(api: &Api<'_>) {
    for (body, errors) in [
        ("{}", json!({"name": ["This field is required."]})),
        (
            r#"{"name":"","scope":"root"}"#,
            json!({"name": ["This field may not be blank."], "scope": ["\"root\" is not a valid choice."]}),
        ),
        (
            r#"{"name":"a","expires_at":"2001-01-01T00:00:00Z"}"#,
            json!({"expires_at": ["This moment has already passed."]}),
        ),
        (
            r#"{"name":"a","expires_at":"soon"}"#,
            json!({"expires_at": ["Datetime has wrong format. Use one of these formats instead: \
                YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."]}),
        ),
    ] {
        api.post("/api/api-keys/", body).await.is(400, errors);
    }
}

pub async fn an_account_has_at_most_ten_active_keys(api: &Api<'_>) {
    let key = api.target.keys().other.clone();
    let active = api.call_as(&key, "GET", "/api/api-keys/", "").await.ok(200)["count"]
        .as_u64()
        .expect("a count");
    let mut made = Vec::new();
    for _ in active..10 {
        made.push(
            api.call_as(&key, "POST", "/api/api-keys/", r#"{"name":"k"}"#)
                .await
                .ok(201),
        );
    }
    let got = api.call_as(&key, "POST", "/api/api-keys/", r#"{"name":"k"}"#).await;
    let text = "An account may have at most 10 active API keys. Revoke one first.";
    got.is(400, json!({"non_field_errors": [text]}));
    for key_object in made {
        api.call_as(&key, "DELETE", &format!("/api/api-keys/{}/", id(&key_object)), "")
            .await;
    }
}

pub async fn what_is_somebody_elses_is_not_there(api: &Api<'_>) {
    let other = api.target.keys().other.clone();
    let (service, domain, route) = (api.service().await, api.domain().await, api.route().await);
    let project = api.project().await;
    let deployments = api
        .get(&format!("/api/services/{}/deployments/", id(&service)))
        .await
        .json();
    for target in [
        format!("/api/services/{}/", id(&service)),
        format!("/api/services/{}/deployments/", id(&service)),
        format!("/api/services/{}/replicas/", id(&service)),
        format!("/api/deployments/{}/", id(&deployments["results"][0])),
        format!("/api/domains/{}/", id(&domain)),
        format!("/api/routes/{}/", id(&route)),
        format!("/api/projects/{}/", id(&project)),
    ] {
        for method in ["GET", "PATCH", "DELETE"] {
            let got = api.call_as(&other, method, &target, "").await;
            if got.status.as_u16() != 405 {
                got.detail(404, "Not found.");
            }
        }
        api.get(&target).await.ok(200);
    }
    for collection in ["services", "domains", "routes", "deployments"] {
        let listed = api
            .call_as(&other, "GET", &format!("/api/{collection}/"), "")
            .await
            .ok(200);
        assert_eq!(listed["count"], 0, "{collection}");
    }
    let body = json!({"path": "/", "domain": domain["id"], "service": service["id"]}).to_string();
    let gone = |object: &serde_json::Value| format!("Invalid pk \"{}\" - object does not exist.", id(object));
    let got = api.call_as(&other, "POST", "/api/routes/", &body).await;
    got.is(400, json!({"domain": [gone(&domain)], "service": [gone(&service)]}));
}

pub async fn only_admins_manage_the_cluster(api: &Api<'_>) {
    let other = api.target.keys().other.clone();
    let refused = "You do not have permission to perform this action.";
    api.call_as(&other, "GET", "/api/nodes/", "").await.ok(200);
    api.call_as(&other, "PATCH", "/api/nodes/999/", "{")
        .await
        .detail(403, refused);
    api.call_as(&other, "POST", "/api/join-tokens/", "")
        .await
        .detail(403, refused);
    api.call_as(&other, "GET", "/api/join-tokens/", "")
        .await
        .detail(403, refused);
}
