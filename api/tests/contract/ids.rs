//! Ids in paths.

use crate::target::{Api, id};

pub async fn every_spelling_of_an_id(api: &Api<'_>) {
    let service = api.service().await;
    let own = id(&service);
    let encoded: String = own.bytes().map(|b| format!("%{b:02X}")).collect();
    for spelling in [
        own.to_owned(),
        own.to_uppercase(),
        own.replace('-', ""),
        format!("{{{own}}}"),
        format!("%7B{own}%7D"),
        format!("urn:uuid:{own}"),
        encoded,
        own.replace('-', "%2D"),
    ] {
        let got = api.get(&format!("/api/services/{spelling}/")).await;
        assert_eq!(got.ok(200)["id"], own, "{spelling}");
        api.get(&format!("/api/services/{spelling}/deployments/")).await.ok(200);
    }
}

pub async fn everything_else_is_not_found(api: &Api<'_>) {
    let domain = api.domain().await;
    let long = "x".repeat(1500);
    for text in [
        "x",
        "1",
        "%00",
        "%FF",
        "%20",
        "null",
        "%F0%9F%98%80",
        "-",
        "00000000-0000-4000-8000-000000000000",
        &long,
        id(&domain),
    ] {
        for method in ["GET", "PATCH", "DELETE", "HEAD"] {
            let got = api.call(method, &format!("/api/services/{text}/"), "").await;
            assert_eq!(got.status.as_u16(), 404, "{method} {text}");
            if method != "HEAD" {
                got.detail(404, "Not found.");
            }
        }
        for path in [
            "services/{}/deployments",
            "services/{}/replicas",
            "workers/{}",
            "workers/{}/deployments",
            "workers/{}/replicas",
            "routes/{}",
            "projects/{}",
            "configs/{}",
            "configs/{}/items",
            "secrets/{}",
            "secrets/{}/items",
            "api-keys/{}",
            "users/{}",
        ] {
            let target = format!("/api/{}/", path.replace("{}", text));
            api.get(&target).await.detail(404, "Not found.");
        }
        api.get(&format!("/api/deployments/{text}/"))
            .await
            .detail(404, "Not found.");
        api.get(&format!("/api/nodes/x{text}/")).await.detail(404, "Not found.");
    }
}

pub async fn a_deleted_object_is_gone_at_once(api: &Api<'_>) {
    let service = api.service().await;
    let target = format!("/api/services/{}/", id(&service));
    let got = api.delete(&target).await;
    assert_eq!(
        (got.status.as_u16(), got.text().as_str(), got.header("content-type")),
        (204, "", None)
    );
    for method in ["GET", "PATCH", "DELETE"] {
        api.call(method, &target, "").await.detail(404, "Not found.");
    }
    // Its name is free again.
    let body = format!(r#"{{"name":{},"image":"x","port":1}}"#, service["name"]);
    api.post("/api/services/", &body).await.ok(201);

    let domain = api.domain().await;
    assert_eq!(
        api.delete(&format!("/api/domains/{}/", id(&domain)))
            .await
            .status
            .as_u16(),
        204
    );
    api.post("/api/domains/", &format!(r#"{{"hostname":{}}}"#, domain["hostname"]))
        .await
        .ok(201);
}
