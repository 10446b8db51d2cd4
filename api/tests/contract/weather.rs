//! What clients see when the cluster is not well, and of replicas. These need to reach behind the API, so they run only
//! against the control plane in memory.

use std::time::Duration;

use model::{
    Actor, Command, DeploymentStatus, Intent, NodeId, NodeStatus, Phase, PlanAction, Reason, Replica, ReplicaId,
    Revision, ServiceId, Timestamp,
};
use serde_json::json;
use uuid::Uuid;

use crate::fake::Weather;
use crate::in_process::{InProcess, join};
use crate::target::{Api, id};

#[tokio::test]
async fn without_quorum_requests_are_refused_at_once() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let service = api.service().await;
    let path = format!("/api/services/{}/", id(&service));
    target.control.set_weather(Weather::NoQuorum);
    for (method, path) in [
        ("GET", path.as_str()),
        ("POST", "/api/services/"),
        ("DELETE", &path),
        ("OPTIONS", &path),
    ] {
        let got = api.call(method, path, "").await;
        assert!(
            got.ok(503)["detail"]
                .as_str()
                .is_some_and(|text| text.contains("1 of 3 voters")),
            "{method}"
        );
        assert_eq!(got.header("retry-after"), Some("1"));
    }
    let got = api.raw("GET", "/readyz", &[], b"").await;
    got.is(503, json!({"status": "waiting", "detail": "a quorum of voters"}));
    api.raw("GET", "/healthz", &[], b"").await.ok(200);
    api.raw("GET", &path, &[], b"")
        .await
        .detail(401, "Authentication credentials were not provided.");

    let got = api.get(&format!("{path}?consistency=local")).await;
    assert_eq!(got.ok(200)["id"], service["id"]);
    assert_eq!(got.header("x-goblins-staleness-ms"), Some("1234"));
    // A write is never judged by what may be old.
    assert_eq!(
        api.call("DELETE", &format!("{path}?consistency=local"), "")
            .await
            .status
            .as_u16(),
        503
    );
}

#[tokio::test]
async fn an_unknown_outcome_says_so() {
    let target = InProcess::new();
    let api = Api::new(&target);
    target.control.set_weather(Weather::Fog);
    let got = api.post("/api/projects/", r#"{"name":"fog"}"#).await;
    assert_eq!(
        (got.ok(503)["code"].as_str(), got.header("retry-after")),
        (Some("outcome_unknown"), Some("1"))
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_beyond_the_deadline() {
    let target = InProcess::with_deadline(Duration::from_secs(5));
    let api = Api::new(&target);
    target.control.set_weather(Weather::Silence);
    assert!(api.get("/api/services/").await.ok(503)["detail"].is_string());
}

#[tokio::test]
async fn a_key_expires() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let body = r#"{"name":"short","expires_at":"2024-10-15T11:00:00Z"}"#;
    let made = api.post("/api/api-keys/", body).await.ok(201);
    assert_eq!(made["expires_at"], "2024-10-15T11:00:00Z");
    let key = made["key"].as_str().unwrap();
    api.call_as(key, "GET", "/api/services/", "").await.ok(200);
    target.control.advance(Duration::from_secs(3600));
    api.call_as(key, "GET", "/api/services/", "")
        .await
        .detail(401, "Invalid token.");
}

#[tokio::test]
async fn a_join_token_lets_a_node_in() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let token = api.post("/api/join-tokens/", "").await.ok(201)["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let hash = digest.as_ref().try_into().unwrap();
    target.control.apply(Actor::System, join("two", 2, Some(hash))).unwrap();
    let nodes = api.get("/api/nodes/?ordering=name").await.ok(200);
    assert_eq!(
        (&nodes["count"], &nodes["results"][1]["role"]),
        (&json!(2), &json!("learner"))
    );
}

pub fn replica(service: &serde_json::Value, deployment: &serde_json::Value, phase: Phase) -> Replica {
    let uuid = |value: &serde_json::Value| Uuid::parse_str(value["id"].as_str().unwrap()).unwrap();
    Replica {
        id: ReplicaId(Uuid::now_v7()),
        service: ServiceId(uuid(service)),
        deployment: model::DeploymentId(uuid(deployment)),
        account: model::AccountId(Uuid::nil()),
        version: 1,
        node: NodeId(1),
        intent: Intent::Run,
        phase,
        reason: None,
        address: Some(([10, 88, 0, 5], 80).into()),
        restarts: 2,
        created_at: Timestamp(1_728_986_400_000_000),
        changed_at: Timestamp(1_728_986_400_000_000),
        revision: Revision(1),
    }
}

#[tokio::test]
async fn a_service_becomes_ready_and_says_why_when_it_does_not() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let route = api.route().await;
    let service = format!("/api/services/{}/", route["service"].as_str().unwrap());
    let route = format!("/api/routes/{}/", id(&route));
    let shown = api.get(&service).await.ok(200);
    assert_eq!(
        (&shown["status"], &shown["deploy_successful"]),
        (&json!("pending"), &json!(false))
    );
    assert_eq!(api.get(&route).await.ok(200)["status"], "pending");

    let deployment = api.get(&format!("{service}deployments/")).await.json()["results"][0].clone();
    let mut one = replica(&shown, &deployment, Phase::Failed);
    one.reason = Some(Reason {
        code: "image_not_found".into(),
        message: "there is no such image".into(),
    });
    target.control.put(one.clone());
    let shown = api.get(&service).await.ok(200);
    assert_eq!(
        shown["status_reason"],
        format!("replica {} on node one: there is no such image", one.id)
    );

    let listed = api.get(&format!("{service}replicas/")).await.ok(200);
    assert_eq!(
        listed["results"],
        json!([{
            "id": one.id.to_string(), "node": {"id": 1, "name": "one"}, "version": 1, "state": "failed",
            "reason": {"code": "image_not_found", "message": "there is no such image"}, "address": "10.88.0.5:80",
            "restarts": 2, "created_at": "2024-10-15T10:00:00Z", "changed_at": "2024-10-15T10:00:00Z", "progress": null
        }])
    );

    one.phase = Phase::Ready;
    one.reason = None;
    target.control.put(one.clone());
    let state = api::ControlPlane::local(&*target.control);
    let finish = PlanAction::Finish {
        deployment: one.deployment,
        status: DeploymentStatus::Success,
        error_message: String::new(),
    };
    let seen = state.service(one.service).unwrap().touched;
    let plan = Command::ApplyPlan {
        service: one.service,
        seen,
        actions: vec![finish],
    };
    target.control.apply(Actor::System, plan).unwrap();
    let shown = api.get(&service).await.ok(200);
    for (field, value) in [
        ("status", json!("ready")),
        ("replicas_running", json!(1)),
        ("deploy_successful", json!(true)),
        ("status_reason", json!("")),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let shown = api.get(&route).await.ok(200);
    assert_eq!(
        (&shown["status"], &shown["deploy_successful"]),
        (&json!("ready"), &json!(true))
    );
    assert_eq!(api.get("/api/nodes/1/").await.ok(200)["allocated"]["replicas"], 1);

    let node = state.node(NodeId(1)).unwrap().clone();
    target.control.put(model::Node {
        status: NodeStatus::Down,
        ..node
    });
    let shown = api.get(&service).await.ok(200);
    assert_eq!(
        (&shown["status"], &shown["replicas_running"]),
        (&json!("updating"), &json!(0))
    );
    assert_eq!(
        api.get(&format!("{service}replicas/")).await.json()["results"][0]["state"],
        "lost"
    );
    assert_eq!(api.get(&route).await.ok(200)["status"], "pending");
}
