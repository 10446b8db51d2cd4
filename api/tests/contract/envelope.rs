//! What holds for every request: paths, formats, methods, HEAD and OPTIONS, the order of the checks.

use serde_json::json;

use crate::target::{Api, id};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

pub async fn a_missing_slash_is_redirected_before_anything_else(api: &Api<'_>) {
    let before = api.get("/api/services/").await.json()["count"].clone();
    for (target, location) in [
        ("/api/services", "/api/services/"),
        ("/api/services?page=2&x=%20y", "/api/services/?page=2&x=%20y"),
        ("/api/services/not-an-id", "/api/services/not-an-id/"),
        ("/api/services/%7Bx%7D?a", "/api/services/%7Bx%7D/?a"),
        ("/api/services/x/deployments", "/api/services/x/deployments/"),
        ("/api/nodes", "/api/nodes/"),
    ] {
        for method in ["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "HEAD", "FOO"] {
            let got = api.raw(method, target, &[("accept", "text/html")], b"{").await;
            assert_eq!(
                (got.status.as_u16(), got.header("location")),
                (301, Some(location)),
                "{method} {target}"
            );
            assert!(got.body.is_empty());
        }
    }
    assert_eq!(api.get("/api/services/").await.json()["count"], before);
}

pub async fn unknown_paths_are_404_before_credentials(api: &Api<'_>) {
    for target in [
        "/",
        "/api/",
        "/api",
        "/api/nothing/",
        "/api/nothing",
        "/api/services/a.b/",
        "/api/services/a%2Eb/",
        "/api/services/a%2Fb/",
        "/api/services/x/nothing/",
        "/api/services//",
        "/services/",
        "/API/services/",
    ] {
        assert_eq!(api.raw("GET", target, &[], b"").await.status.as_u16(), 404, "{target}");
    }
}

pub async fn the_format_parameter(api: &Api<'_>) {
    for target in [
        "/api/services/?format=json",
        "/api/services/?format=",
        "/api/services/?format=xml&format=json",
    ] {
        api.get(target).await.ok(200);
    }
    for target in [
        "/api/services/?format=xml",
        "/api/services/?format=JSON",
        "/api/services/?format=json&format=api",
    ] {
        api.raw("GET", target, &[], b"").await.detail(404, "Not found.");
    }
}

pub async fn the_accept_header(api: &Api<'_>) {
    let key = format!("Bearer {}", api.target.keys().full);
    for accept in [
        "application/json",
        "APPLICATION/JSON",
        "application/json;q=0",
        "application/json; version=1",
        "application/*",
        "*/*",
        "text/html, application/json",
        "text/html,*/*;q=0.1",
    ] {
        let got = api
            .raw(
                "GET",
                "/api/services/",
                &[("accept", accept), ("authorization", &key)],
                b"",
            )
            .await;
        assert_eq!(got.status.as_u16(), 200, "{accept}");
    }
    for accept in [
        "",
        "*",
        "text/html",
        "application/vnd.api+json",
        "application/xml, text/*",
        "json",
    ] {
        let got = api.raw("GET", "/api/services/", &[("accept", accept)], b"").await;
        got.detail(406, "Could not satisfy the request Accept header.");
    }
    api.raw("GET", "/api/services/", &[], b"")
        .await
        .detail(401, "Authentication credentials were not provided.");
}

pub async fn indent_pretty_prints(api: &Api<'_>) {
    let key = format!("Bearer {}", api.target.keys().full);
    let with = async |accept: &str| {
        api.raw(
            "GET",
            "/api/projects/?page=99",
            &[("accept", accept), ("authorization", &key)],
            b"",
        )
        .await
        .text()
    };
    assert_eq!(with("application/json").await, r#"{"detail":"Invalid page."}"#);
    assert_eq!(
        with("application/json; indent=4").await,
        "{\n    \"detail\": \"Invalid page.\"\n}"
    );
    assert_eq!(with("*/*; indent=2").await, "{\n  \"detail\": \"Invalid page.\"\n}");
    assert_eq!(
        with("application/json; indent=0").await,
        r#"{"detail":"Invalid page."}"#
    );
    assert_eq!(
        with("application/json; indent=x").await,
        r#"{"detail":"Invalid page."}"#
    );
}

pub async fn methods_and_allow(api: &Api<'_>) {
    let service = api.service().await;
    let (domain, route, project) = (api.domain().await, api.route().await, api.project().await);
    let deployments = api
        .get(&format!("/api/services/{}/deployments/", id(&service)))
        .await
        .json();
    let (collection, object, read) = (
        "GET, POST, HEAD, OPTIONS",
        "GET, PATCH, DELETE, HEAD, OPTIONS",
        "GET, HEAD, OPTIONS",
    );
    for (target, allow) in [
        ("/api/services/".to_owned(), collection),
        ("/api/domains/".to_owned(), collection),
        ("/api/routes/".to_owned(), collection),
        ("/api/projects/".to_owned(), collection),
        ("/api/api-keys/".to_owned(), collection),
        (format!("/api/services/{}/", id(&service)), object),
        (format!("/api/domains/{}/", id(&domain)), object),
        (format!("/api/routes/{}/", id(&route)), object),
        (format!("/api/projects/{}/", id(&project)), object),
        ("/api/deployments/".to_owned(), read),
        (format!("/api/deployments/{}/", id(&deployments["results"][0])), read),
        (format!("/api/services/{}/deployments/", id(&service)), read),
        (format!("/api/services/{}/replicas/", id(&service)), read),
    ] {
        let got = api.call("OPTIONS", &target, "").await;
        got.ok(200);
        assert_eq!(got.header("allow"), Some(allow), "{target}");
        for method in ["PUT", "TRACE", "FOO", "POST", "PATCH", "DELETE"] {
            if allow.split(", ").any(|known| known == method) {
                continue;
            }
            let got = api.call(method, &target, "{").await;
            got.detail(405, &format!("Method \"{method}\" not allowed."));
            assert_eq!(got.header("allow"), Some(allow), "{method} {target}");
        }
        let (get, head) = (api.get(&target).await, api.call("HEAD", &target, "").await);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{target}");
        for name in ["content-type", "content-length", "etag"] {
            assert_eq!(head.headers.get(name), get.headers.get(name), "{name} {target}");
        }
    }
}

pub async fn head_has_the_status_of_get(api: &Api<'_>) {
    for (target, status) in [
        (format!("/api/services/{UNKNOWN}/"), 404),
        ("/api/services/?page=9".into(), 404),
    ] {
        let got = api.call("HEAD", &target, "").await;
        assert_eq!((got.status.as_u16(), got.body.len()), (status, 0));
    }
    for method in ["HEAD", "OPTIONS"] {
        let got = api.raw(method, "/api/services/", &[], b"").await;
        assert_eq!(
            (got.status.as_u16(), got.header("www-authenticate")),
            (401, Some("Bearer")),
            "{method}"
        );
    }
}

pub async fn the_first_check_that_fails_answers(api: &Api<'_>) {
    let keys = api.target.keys().clone();
    let unknown = format!("/api/services/{UNKNOWN}/");
    // format before Accept before credentials
    api.raw("GET", "/api/services/?format=x", &[("accept", "x/y")], b"")
        .await
        .detail(404, "Not found.");
    api.raw("GET", &unknown, &[("accept", "x/y")], b"")
        .await
        .detail(406, "Could not satisfy the request Accept header.");
    api.raw("PUT", &unknown, &[], b"{")
        .await
        .detail(401, "Authentication credentials were not provided.");
    // permission before method, id and body
    for method in ["POST", "PATCH", "DELETE", "PUT"] {
        let got = api.call_as(&keys.read_only, method, &unknown, "{").await;
        got.detail(403, "You do not have permission to perform this action.");
    }
    // method before id
    api.call("PUT", &unknown, "{")
        .await
        .detail(405, "Method \"PUT\" not allowed.");
    // id before type and body
    let key = format!("Bearer {}", keys.full);
    let got = api
        .raw(
            "PATCH",
            &unknown,
            &[("authorization", &key), ("content-type", "text/plain")],
            b"{",
        )
        .await;
    got.detail(404, "Not found.");
    // filter before page
    api.get("/api/services/?project=x&page=99")
        .await
        .is(400, json!({"project": ["Must be a valid UUID."]}));
    // type before syntax
    let got = api
        .raw(
            "POST",
            "/api/services/",
            &[("authorization", &key), ("content-type", "text/plain")],
            b"{",
        )
        .await;
    got.detail(415, "Unsupported media type \"text/plain\" in request.");
    // fields before uniqueness over several
    let taken = api.service().await;
    let body = json!({"name": taken["name"], "image": "", "port": 80}).to_string();
    api.post("/api/services/", &body)
        .await
        .is(400, json!({"image": ["This field may not be blank."]}));
}

pub async fn health_needs_no_key(api: &Api<'_>) {
    api.raw("GET", "/healthz", &[], b"").await.ok(200);
    api.raw("GET", "/readyz", &[], b"").await.ok(200);
    assert_eq!(api.raw("POST", "/healthz", &[], b"").await.status.as_u16(), 405);
}
