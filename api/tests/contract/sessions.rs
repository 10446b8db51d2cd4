//! Logging in to the web interface: cookies, CSRF, ends. Only against the control plane in memory, where a user exists
//! who can log in and time can be moved.

use std::time::Duration;

use serde_json::json;

use crate::in_process::{InProcess, WEB_PASSWORD, WEB_USER};
use crate::target::{Api, Got};

async fn login(api: &Api<'_>, username: &str, password: &str) -> Got {
    let body = json!({"username": username, "password": password}).to_string();
    let headers = [("content-type", "application/json")];
    api.raw("POST", "/api/auth/login/", &headers, body.as_bytes()).await
}

/// The cookies of an answer, as a browser sends them back, and the CSRF token.
fn cookies(got: &Got) -> (String, String) {
    let lines: Vec<_> = got
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|it| it.to_str().expect("text").to_owned())
        .collect();
    let pairs: Vec<_> = lines.iter().filter_map(|it| it.split(';').next()).collect();
    let token = pairs
        .iter()
        .find_map(|it| it.strip_prefix("csrftoken="))
        .expect("a token")
        .to_owned();
    (pairs.join("; "), token)
}

#[tokio::test]
async fn a_session_acts_for_its_user_until_it_ends() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let got = login(&api, WEB_USER, WEB_PASSWORD).await;
    assert_eq!(got.ok(200)["authenticated_by"], json!("session"));
    let lines: Vec<_> = got
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|it| it.to_str().expect("text"))
        .collect();
    let session = lines.iter().find(|it| it.starts_with("sessionid=")).expect("a session");
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax") && session.contains("Path=/"));
    let csrf = lines.iter().find(|it| it.starts_with("csrftoken=")).expect("a token");
    assert!(!csrf.contains("HttpOnly"), "the page has to read it");

    let (cookies, token) = cookies(&got);
    let with = [("cookie", cookies.as_str())];
    let me = api.raw("GET", "/api/auth/me/", &with, b"").await.ok(200);
    assert_eq!(me["username"], json!(WEB_USER));
    let post = |headers: Vec<(&'static str, String)>| {
        let api = &api;
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let body = json!({"name": api.name()}).to_string();
            api.raw("POST", "/api/projects/", &headers, body.as_bytes()).await
        }
    };
    let json_type = || ("content-type", "application/json".to_owned());
    let session_only = cookies
        .split("; ")
        .find(|it| it.starts_with("sessionid"))
        .expect("a session")
        .to_owned();
    post(vec![json_type(), ("cookie", session_only)])
        .await
        .detail(403, "CSRF Failed: CSRF cookie not set.");
    post(vec![json_type(), ("cookie", cookies.clone())])
        .await
        .detail(403, "CSRF Failed: CSRF token missing.");
    let wrong = vec![
        json_type(),
        ("cookie", cookies.clone()),
        ("x-csrftoken", "x".to_owned()),
    ];
    let text = "CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header incorrect.";
    post(wrong).await.detail(403, text);
    let right = || vec![json_type(), ("cookie", cookies.clone()), ("x-csrftoken", token.clone())];
    post(right()).await.ok(201);
    // A key needs no token, cookie or not.
    let key = format!("Bearer {}", target_key(&api));
    let beside = vec![json_type(), ("cookie", cookies.clone()), ("authorization", key)];
    post(beside).await.ok(201);

    let out = [("cookie", cookies.as_str()), ("x-csrftoken", token.as_str())];
    let left = api.raw("POST", "/api/auth/logout/", &out, b"").await;
    assert_eq!(left.status.as_u16(), 204);
    assert!(
        left.headers
            .get_all("set-cookie")
            .iter()
            .all(|it| it.to_str().is_ok_and(|it| it.contains("Max-Age=0")))
    );
    let gone = "Authentication credentials were not provided.";
    api.raw("GET", "/api/auth/me/", &with, b"").await.detail(401, gone);
}

fn target_key(api: &Api<'_>) -> String {
    api.target.keys().full.clone()
}

#[tokio::test]
async fn a_session_ends_by_itself_and_with_a_new_password() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let (one, _) = cookies(&login(&api, WEB_USER, WEB_PASSWORD).await);
    target.control.advance(Duration::from_secs(14 * 24 * 3600));
    let gone = "Authentication credentials were not provided.";
    api.raw("GET", "/api/auth/me/", &[("cookie", &one)], b"")
        .await
        .detail(401, gone);

    let (two, token) = cookies(&login(&api, WEB_USER, WEB_PASSWORD).await);
    let me = api.raw("GET", "/api/auth/me/", &[("cookie", &two)], b"").await.ok(200);
    let path = format!("/api/users/{}/", me["id"].as_str().expect("an id"));
    let headers = [
        ("cookie", two.as_str()),
        ("x-csrftoken", token.as_str()),
        ("content-type", "application/json"),
    ];
    api.raw("PATCH", &path, &headers, br#"{"password":"another one"}"#)
        .await
        .ok(200);
    api.raw("GET", "/api/auth/me/", &[("cookie", &two)], b"")
        .await
        .detail(401, gone);
    login(&api, WEB_USER, "another one").await.ok(200);
}

#[tokio::test]
async fn a_failed_login_tells_nothing_and_costs_time() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let refused = json!({"non_field_errors": ["Unable to log in with provided credentials."]});
    login(&api, "nobody", WEB_PASSWORD).await.is(400, refused.clone());
    login(&api, "other", "no password is set")
        .await
        .is(400, refused.clone());
    for _ in 0..5 {
        login(&api, WEB_USER, "wrong").await.is(400, refused.clone());
    }
    let throttled = login(&api, WEB_USER, WEB_PASSWORD).await;
    assert_eq!(throttled.status.as_u16(), 429);
    assert!(throttled.header("retry-after").is_some());
    target.control.advance(Duration::from_secs(3));
    login(&api, WEB_USER, WEB_PASSWORD).await.ok(200);
    let missing = json!({"username": ["This field is required."], "password": ["This field is required."]});
    api.raw("POST", "/api/auth/login/", &[], b"").await.is(400, missing);
    api.raw("GET", "/api/auth/login/", &[], b"")
        .await
        .detail(405, "Method \"GET\" not allowed.");
}
