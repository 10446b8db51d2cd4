//! Explanations: whose they are, and what they hold.

use serde_json::json;

use crate::in_process::InProcess;
use crate::target::{Api, Target as _, id};

#[tokio::test]
async fn a_service_and_a_worker_are_explained_to_their_account() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let (service, worker) = (api.service().await, api.worker().await);
    for path in [
        format!("/api/services/{}/explain/", id(&service)),
        format!("/api/workers/{}/explain/", id(&worker)),
    ] {
        let said = api.get(&path).await.ok(200);
        let expected = json!({
            "version": 2, "failed_version": 3, "wanted": 3, "ready": 0, "missing": 0, "replicas": [],
            "nodes": [{"id": 1, "name": "one", "fits": false, "free": {"cpu": 500, "memory": 1 << 30}, "replicas": 0, "why": "is down"}],
            "remedies": [{"text": "uncordon node c", "command": "goblins node uncordon c", "places": 3}],
        });
        assert_eq!(said, expected);
        let other = target.keys().other.clone();
        api.call_as(&other, "GET", &path, "").await.detail(404, "Not found.");
    }
}
