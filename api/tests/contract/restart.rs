//! Restarts: the same revision as a new deployment.

use serde_json::json;

use crate::target::{Api, id};

pub async fn the_same_revision_is_deployed_once_more(api: &Api<'_>) {
    let (service, worker) = (api.service().await, api.worker().await);
    for (kind, it) in [("services", &service), ("workers", &worker)] {
        let target = format!("/api/{kind}/{}/", id(it));
        let made = api
            .post(&format!("{target}restart/"), r#"{"notes": "why"}"#)
            .await
            .ok(201);
        assert_eq!((&made["version_number"], &made["notes"]), (&json!(2), &json!("why")));
        assert_eq!(
            (&made["image"], &made["rollback_from"]),
            (&json!("nginx:1.25"), &json!(null))
        );
        let shown = api.get(&target).await.ok(200);
        assert_eq!((&shown["deployment"], &shown["version"]), (&made["id"], &json!(2)));
        let without_body = api.post(&format!("{target}restart/"), "").await.ok(201);
        assert_eq!(without_body["version_number"], 3);
        let read_only = api.target.keys().read_only.clone();
        let path = format!("{target}restart/");
        assert_eq!(api.call_as(&read_only, "POST", &path, "").await.status, 403);
        let other = api.target.keys().other.clone();
        api.call_as(&other, "POST", &path, "").await.detail(404, "Not found.");
    }
}
