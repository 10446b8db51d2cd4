//! Request bodies: types, encodings, syntax.

use serde_json::json;

use crate::target::{Api, Got, Sent, id};

async fn post(api: &Api<'_>, content_type: Option<&str>, body: &[u8]) -> Got {
    send(api, "POST", "/api/domains/", content_type, body).await
}

async fn send(api: &Api<'_>, method: &str, target: &str, content_type: Option<&str>, body: &[u8]) -> Got {
    let key = format!("Bearer {}", api.target.keys().full);
    let mut headers = vec![("authorization".to_owned(), key.into_bytes())];
    headers.extend(content_type.map(|it| ("content-type".to_owned(), it.as_bytes().to_vec())));
    api.target
        .send(Sent {
            method: method.into(),
            target: target.into(),
            headers,
            body: body.to_vec(),
        })
        .await
}

pub async fn media_types(api: &Api<'_>) {
    for good in [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;x=y",
        "application/*",
        "*/*",
        "application/json; charset=unknown-8",
    ] {
        let body = json!({"hostname": api.name()}).to_string();
        post(api, Some(good), body.as_bytes()).await.ok(201);
    }
    for bad in [
        "text/plain; charset=utf-8",
        "text/json",
        "application/vnd.api+json",
        "application/json, text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ] {
        let got = post(api, Some(bad), b"{\"hostname\":\"x\"}").await;
        got.detail(415, &format!("Unsupported media type \"{bad}\" in request."));
    }
    post(api, None, b"{")
        .await
        .detail(415, "Unsupported media type \"\" in request.");
}

pub async fn no_body_is_an_empty_object(api: &Api<'_>) {
    let target = format!("/api/domains/{}/", id(&api.domain().await));
    for content_type in [None, Some("application/json"), Some("text/plain")] {
        let required = json!({"hostname": ["This field is required."]});
        post(api, content_type, b"").await.is(400, required);
        send(api, "PATCH", &target, content_type, b"").await.ok(200);
    }
}

pub async fn get_and_delete_do_not_read_it(api: &Api<'_>) {
    let target = format!("/api/domains/{}/", id(&api.domain().await));
    send(api, "GET", &target, Some("text/plain"), b"{").await.ok(200);
    let got = send(api, "DELETE", &target, Some("text/plain"), b"{").await;
    assert_eq!(
        (got.status.as_u16(), got.body.len(), got.header("content-type")),
        (204, 0, None)
    );
}

pub async fn what_is_not_json(api: &Api<'_>) {
    let bodies: &[&[u8]] = &[
        b"{",
        b"{\"a\":1,}",
        b"{} x",
        b"{}{}",
        b"/**/{}",
        b"{'a':1}",
        b"{a:1}",
        b" ",
        b"\n",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xc0\x80\"}",
        b"{\"a\":\"\n\"}",
        b"{\"a\":\"\\x\"}",
        b"{\"a\":NaN}",
        b"{\"a\":Infinity}",
        b"{\"a\":080}",
        b"{\"a\":+80}",
        b"{\"a\":80.}",
        b"{\"a\":0x50}",
        b"{\"a\":True}",
        b"\0",
    ];
    for body in bodies {
        let got = post(api, Some("application/json"), body).await;
        let detail = got.ok(400)["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.starts_with("JSON parse error - "), "{body:?}: {detail}");
    }
}

pub async fn what_is_no_object(api: &Api<'_>) {
    for (body, name) in [
        ("[]", "list"),
        ("\"x\"", "str"),
        ("1", "int"),
        ("1.5", "float"),
        ("1e2", "float"),
        ("true", "bool"),
        ("[{}]", "list"),
        ("-0", "int"),
    ] {
        let text = format!("Invalid data. Expected a dictionary, but got {name}.");
        let got = post(api, Some("application/json"), body.as_bytes()).await;
        got.is(400, json!({"non_field_errors": [text]}));
    }
    let got = post(api, Some("application/json"), b"null").await;
    got.is(400, json!({"non_field_errors": ["No data provided"]}));
}

pub async fn charsets(api: &Api<'_>) {
    let name = api.name();
    let latin = [format!("{{\"hostname\":\"{name}-").as_bytes(), b"\xe9\"}"].concat();
    let made = post(api, Some("application/json; charset=iso-8859-1"), &latin)
        .await
        .ok(201);
    assert_eq!(made["hostname"], format!("{name}-é"));
    let got = post(api, Some("application/json"), &latin).await;
    assert!(
        got.ok(400)["detail"]
            .as_str()
            .is_some_and(|text| text.starts_with("JSON parse error - "))
    );
}

pub async fn keys_of_the_object(api: &Api<'_>) {
    let (first, last) = (api.name(), api.name());
    let body = format!(r#"{{"hostname":"{first}","\u0068ostname":"{last}"}}"#);
    assert_eq!(api.post("/api/domains/", &body).await.ok(201)["hostname"], last);
    for body in [
        r#"{"Hostname":"x"}"#,
        r#"{" hostname":"x"}"#,
        r#"{"hostname ":"x"}"#,
        r#"{"hostname\ud800":"x"}"#,
    ] {
        api.post("/api/domains/", body)
            .await
            .is(400, json!({"hostname": ["This field is required."]}));
    }
}

pub async fn unknown_and_read_only_fields_are_ignored(api: &Api<'_>) {
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    let big = "x".repeat(1 << 20);
    for extra in [
        r#""id":"x","created_at":false,"status":[],"nothing":{"a":null}"#.to_owned(),
        format!("\"deep\":{deep}"),
        format!("\"big\":\"{big}\""),
        "\"huge\":1e400,\"long\":123456789012345678901234567890".to_owned(),
    ] {
        let body = format!(r#"{{"hostname":"{}",{extra}}}"#, api.name());
        api.post("/api/domains/", &body).await.ok(201);
    }
}

pub async fn too_much_is_refused(api: &Api<'_>) {
    let body = format!(r#"{{"hostname":"{}"}}"#, "x".repeat(2 << 20));
    assert_eq!(api.post("/api/domains/", &body).await.status.as_u16(), 413);
}
