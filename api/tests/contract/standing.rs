//! How things stand while rollouts come and go. These need to reach behind the API, so they run only against the
//! control plane in memory.

use model::{Actor, Command, DeploymentStatus, PlanAction, ServiceId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::in_process::InProcess;
use crate::target::{Api, id};

/// What the leader's controller would do for a service.
fn carry_out(target: &InProcess, service: &Value, actions: impl FnOnce(&model::Service) -> Vec<PlanAction>) {
    let state = api::ControlPlane::local(&*target.control);
    let service = ServiceId(Uuid::parse_str(id(service)).expect("an id"));
    let known = state.service(service).expect("a service");
    let plan = Command::ApplyPlan {
        service,
        seen: known.touched,
        actions: actions(known),
    };
    target.control.apply(Actor::System, plan).expect("a plan");
}

fn finish(target: &InProcess, service: &Value, status: DeploymentStatus) {
    carry_out(target, service, |it| {
        vec![PlanAction::Finish {
            deployment: it.deployment,
            status,
            error_message: String::new(),
        }]
    });
}

#[tokio::test]
async fn a_set_stands_as_its_users_do() {
    let target = InProcess::new();
    let api = Api::new(&target);
    for (kind, word) in [("configs", "config"), ("secrets", "secret")] {
        let set = api.set(kind).await;
        let item = api.item(kind, &set, "KEY", "1").await;
        let standing = async || {
            let shown = api.get(&format!("/api/{kind}/{}/", id(&set))).await.ok(200);
            (shown["status"].clone(), shown["deploy_successful"].clone())
        };
        let (ready, pending, error) = (
            (json!("ready"), json!(true)),
            (json!("pending"), json!(false)),
            (json!("error"), json!(false)),
        );
        assert_eq!(standing().await, ready);
        let make = async |users: &str| {
            let body = json!({"name": api.name(), "image": "x", "port": 1, word: set["id"]}).to_string();
            api.post(&format!("/api/{users}/"), &body).await.ok(201)
        };
        let (service, worker) = (make("services").await, make("workers").await);
        assert_eq!(standing().await, pending);
        finish(&target, &service, DeploymentStatus::Success);
        assert_eq!(standing().await, pending);
        finish(&target, &worker, DeploymentStatus::Failed);
        assert_eq!(standing().await, error);
        finish(&target, &worker, DeploymentStatus::Success);
        assert_eq!(standing().await, ready);

        // A change of items is not there until it is rolled out.
        let one = format!("/api/{kind}/{}/items/{}/", id(&set), id(&item));
        api.patch(&one, r#"{"value":"2"}"#).await.ok(200);
        assert_eq!(standing().await, pending);
        let listed = api.get(&format!("/api/{kind}/?ordering=-created_at")).await.ok(200);
        assert_eq!(listed["results"][0]["status"], "pending");
        for user in [&service, &worker] {
            carry_out(&target, user, |_| vec![PlanAction::Redeploy]);
            assert_eq!(standing().await, pending);
        }
        finish(&target, &service, DeploymentStatus::Success);
        finish(&target, &worker, DeploymentStatus::Success);
        assert_eq!(standing().await, ready);
        let rolled = api
            .get(&format!("/api/services/{}/deployments/", id(&service)))
            .await
            .ok(200);
        assert_eq!(rolled["count"], 2);
        if kind == "configs" {
            assert_eq!(rolled["results"][1]["config_snapshot"], json!({"KEY": "2"}));
        }
        for (users, user) in [("services", &service), ("workers", &worker)] {
            api.delete(&format!("/api/{users}/{}/", id(user))).await;
        }
        assert_eq!(standing().await, ready);
    }
}

#[tokio::test]
async fn a_service_is_updating_until_its_items_have_arrived() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let set = api.set("configs").await;
    for kind in ["services", "workers"] {
        let body = json!({"name": api.name(), "image": "x", "port": 1, "config": set["id"]}).to_string();
        let made = api.post(&format!("/api/{kind}/"), &body).await.ok(201);
        let status = async || api.get(&format!("/api/{kind}/{}/", id(&made))).await.ok(200)["status"].clone();
        assert_eq!(status().await, "pending");
        let mut replica = crate::weather::replica(&made, &made, model::Phase::Ready);
        replica.address = None;
        target.control.put(replica);
        finish(&target, &made, DeploymentStatus::Success);
        assert_eq!(status().await, "ready", "{kind}");
        let key = format!("K{}", kind.len());
        api.item("configs", &set, &key, "1").await;
        assert_eq!(status().await, "updating", "{kind}");
        carry_out(&target, &made, |_| vec![PlanAction::Redeploy]);
        assert_eq!(status().await, "updating", "{kind}");
        finish(&target, &made, DeploymentStatus::Failed);
        assert_eq!(status().await, "error", "{kind}");
    }
}

#[tokio::test]
async fn a_node_leaves_when_nothing_is_on_it() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let service = api.service().await;
    target
        .control
        .put(crate::weather::replica(&service, &service, model::Phase::Ready));
    let refused = api.delete("/api/nodes/1/").await.ok(400);
    let name = service["name"].as_str().expect("a name");
    assert!(
        refused["detail"].as_str().is_some_and(|it| it.contains(name)),
        "{refused}"
    );
    let other = api.target.keys().other.clone();
    let text = "You do not have permission to perform this action.";
    api.call_as(&other, "DELETE", "/api/nodes/1/", "")
        .await
        .detail(403, text);
    let replica = api::ControlPlane::local(&*target.control)
        .replicas()
        .next()
        .map(|it| it.id);
    carry_out(&target, &service, |_| {
        replica.map(PlanAction::Forget).into_iter().collect()
    });
    assert_eq!(api.delete("/api/nodes/1/").await.status.as_u16(), 204);
    api.get("/api/nodes/1/").await.detail(404, "Not found.");
}

#[tokio::test]
async fn an_admin_makes_keys_for_others() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let other = api.target.keys().other.clone();
    let me = api.get("/api/auth/me/").await.ok(200)["id"].clone();
    let them = api.call_as(&other, "GET", "/api/auth/me/", "").await.ok(200)["id"].clone();
    assert_eq!(
        api.post("/api/api-keys/", r#"{"name":"k"}"#).await.ok(201)["account"],
        me
    );
    let made = api
        .post("/api/api-keys/", &json!({"name": "k", "account": them}).to_string())
        .await
        .ok(201);
    assert_eq!((&made["account"], &made["last_used_at"]), (&them, &json!(null)));
    let key = made["key"].as_str().expect("the key");
    assert_eq!(api.call_as(key, "GET", "/api/auth/me/", "").await.ok(200)["id"], them);
    // It is theirs from then on, and nobody but an admin reaches for other accounts.
    api.get(&format!("/api/api-keys/{}/", id(&made)))
        .await
        .detail(404, "Not found.");
    let text = format!(
        "Invalid pk \"{}\" - object does not exist.",
        me.as_str().expect("an id")
    );
    let body = json!({"name": "k", "account": me}).to_string();
    api.call_as(&other, "POST", "/api/api-keys/", &body)
        .await
        .is(400, json!({"account": [text]}));
    let body = json!({"name": "k", "account": them}).to_string();
    api.call_as(&other, "POST", "/api/api-keys/", &body).await.ok(201);
}

#[tokio::test]
async fn an_answer_that_is_given_again_is_the_same() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let (bearer, config) = (format!("Bearer {}", api.target.keys().full), api.set("configs").await);
    let post = async |path: &str, body: &Value| {
        let promise = format!("once {path}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", &promise),
        ];
        let got = api.raw("POST", path, &headers, body.to_string().as_bytes()).await;
        (got.ok(201), got.header("etag").map(str::to_owned))
    };
    let named = |kind: &str| json!({"name": kind, "image": "x", "port": 1, "config": config["id"]});
    let (service, domain) = (api.service().await, api.domain().await);
    let listed = api
        .get(&format!("/api/services/{}/deployments/", id(&service)))
        .await
        .ok(200);
    let asked = [
        ("/api/services/".to_owned(), named("service")),
        ("/api/workers/".to_owned(), named("worker")),
        ("/api/configs/".to_owned(), json!({"name": "c"})),
        ("/api/secrets/".to_owned(), json!({"name": "s"})),
        (
            format!("/api/configs/{}/items/", id(&config)),
            json!({"key": "A", "value": "1"}),
        ),
        (
            "/api/routes/".to_owned(),
            json!({"path": "/", "domain": domain["id"], "service": service["id"]}),
        ),
        ("/api/projects/".to_owned(), json!({"name": "p"})),
        ("/api/join-tokens/".to_owned(), json!({})),
        (
            format!("/api/deployments/{}/rollback/", id(&listed["results"][0])),
            json!({}),
        ),
    ];
    let mut first = Vec::new();
    for (path, body) in &asked {
        first.push(post(path, body).await);
    }
    // Everything moves on.
    for made in [&service, &first[0].0, &first[1].0] {
        target
            .control
            .put(crate::weather::replica(made, made, model::Phase::Ready));
        finish(&target, made, DeploymentStatus::Success);
    }
    let route = format!("/api/routes/{}/", id(&first[5].0));
    assert_eq!(api.get(&route).await.ok(200)["status"], "ready");
    for (kind, n) in [("workers", 1), ("configs", 2), ("secrets", 3), ("projects", 6)] {
        let one = format!("/api/{kind}/{}/", id(&first[n].0));
        api.patch(&one, &json!({"name": api.name()}).to_string()).await.ok(200);
    }
    let gone = format!("/api/services/{}/", id(&first[0].0));
    assert_eq!(api.delete(&gone).await.status.as_u16(), 204);
    for ((path, body), before) in asked.iter().zip(&first) {
        assert_eq!(&post(path, body).await, before, "{path}");
    }
}
