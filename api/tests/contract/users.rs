//! Accounts as `/api/users/` shows them.

use serde_json::json;

use crate::target::{Api, id};

pub async fn an_admin_manages_accounts(api: &Api<'_>) {
    let name = api.name();
    let body = json!({"username": name, "password": "long enough"}).to_string();
    let made = api.post("/api/users/", &body).await.ok(201);
    assert_eq!((&made["username"], &made["is_admin"]), (&json!(name), &json!(false)));
    assert!(made.get("password").is_none());
    let taken = json!({"username": ["user with this username already exists."]});
    api.post("/api/users/", &body).await.is(400, taken);
    let short = json!({"username": api.name(), "password": "short"}).to_string();
    let text = "Ensure this field has at least 8 characters.";
    api.post("/api/users/", &short)
        .await
        .is(400, json!({"password": [text]}));
    let required = json!({"username": ["This field is required."]});
    api.post("/api/users/", "{}").await.is(400, required);

    let path = format!("/api/users/{}/", id(&made));
    let patched = api.patch(&path, r#"{"is_admin":true}"#).await.ok(200);
    assert_eq!(patched["is_admin"], json!(true));
    let login = json!({"username": name, "password": "long enough"}).to_string();
    let headers = [("content-type", "application/json")];
    let got = api.raw("POST", "/api/auth/login/", &headers, login.as_bytes()).await;
    assert_eq!(got.ok(200)["username"], json!(name));
    assert_eq!(api.delete(&path).await.status.as_u16(), 204);
    api.get(&path).await.detail(404, "Not found.");
    let gone = api.raw("POST", "/api/auth/login/", &headers, login.as_bytes()).await;
    let text = "Unable to log in with provided credentials.";
    gone.is(400, json!({"non_field_errors": [text]}));
}

pub async fn an_account_sees_and_changes_only_itself(api: &Api<'_>) {
    let key = api.target.keys().other.clone();
    let own = api.call_as(&key, "GET", "/api/auth/me/", "").await.ok(200);
    assert_eq!(
        (&own["scope"], &own["authenticated_by"]),
        (&json!("full"), &json!("api_key"))
    );
    let list = api.call_as(&key, "GET", "/api/users/", "").await.ok(200);
    assert_eq!((&list["count"], &list["results"][0]["id"]), (&json!(1), &own["id"]));
    let everybody = api.get("/api/users/").await.ok(200);
    assert!(everybody["count"].as_u64().expect("a number") >= 2);
    let admin = api.get("/api/auth/me/").await.ok(200);
    let stranger = format!("/api/users/{}/", id(&admin));
    api.call_as(&key, "GET", &stranger, "").await.detail(404, "Not found.");
    api.call_as(&key, "DELETE", &stranger, "")
        .await
        .detail(404, "Not found.");

    let forbidden = "You do not have permission to perform this action.";
    let body = json!({"username": api.name()}).to_string();
    api.call_as(&key, "POST", "/api/users/", &body)
        .await
        .detail(403, forbidden);
    let path = format!("/api/users/{}/", id(&own));
    api.call_as(&key, "PATCH", &path, r#"{"is_admin":true}"#)
        .await
        .detail(403, forbidden);
    let last = "There must be an admin left. Make another account an admin first.";
    let own = format!("/api/users/{}/", id(&admin));
    if api.get("/api/users/").await.ok(200)["results"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|it| it["is_admin"] == json!(true))
        .count()
        == 1
    {
        api.patch(&own, r#"{"is_admin":false}"#).await.detail(400, last);
        api.delete(&own).await.detail(400, last);
    }
}
