//! Settings of services and workers beyond the fixed fields.

use serde_json::{Value, json};

use crate::target::{Api, id, keys_in_order};

fn check(kind: &str, seconds: u32) -> Value {
    json!({
        "type": kind, "path": null, "port": null, "command": [], "interval_seconds": seconds, "timeout_seconds": seconds,
        "threshold": 3, "success_threshold": 1, "start_grace_seconds": 60,
    })
}

fn defaults(kind: &str) -> Value {
    json!({
        "health_check": check(kind, 1),
        "update": {"parallelism": null, "max_surge": null, "auto_rollback": true},
        "restart_policy": {"condition": "always", "max_delay_seconds": 60},
        "drain_seconds": 30,
        "placement": {"constraints": [], "spread": true},
        "volumes": [],
    })
}

#[track_caller]
fn shows(object: &Value, settings: &Value) {
    for (field, value) in settings.as_object().expect("fields") {
        assert_eq!(&object[field], value, "{field}");
    }
}

pub async fn they_are_shown_in_full_and_sent_in_part(api: &Api<'_>) {
    let service = api.service().await;
    shows(&service, &defaults("tcp"));
    shows(&api.worker().await, &defaults("none"));
    let sent = json!({
        "name": api.name(), "image": "nginx:1.25", "port": 80,
        "health_check": {"type": "http", "path": "/healthz?full=1", "timeout_seconds": "7"},
        "update": {"max_surge": 0},
        "restart_policy": {"condition": "on-failure"},
        "drain_seconds": 5,
        "placement": {"constraints": ["node!=n9", " node == n1"]},
        "volumes": [{"source": "/srv/data/", "target": "/data"}],
    });
    let got = api.post("/api/services/", &sent.to_string()).await;
    let made = got.ok(201);
    keys_in_order(
        &got.text(),
        &[
            "status_reason",
            "health_check",
            "update",
            "restart_policy",
            "drain_seconds",
            "placement",
            "volumes",
            "registry_secret",
        ],
    );
    let mut expected = check("http", 2);
    expected["path"] = json!("/healthz?full=1");
    expected["timeout_seconds"] = json!(7);
    let expected = json!({
        "health_check": expected,
        "update": {"parallelism": null, "max_surge": 0, "auto_rollback": true},
        "restart_policy": {"condition": "on-failure", "max_delay_seconds": 60},
        "drain_seconds": 5,
        "placement": {"constraints": ["node!=n9", "node==n1"], "spread": true},
        "volumes": [{"source": "/srv/data", "target": "/data", "read_only": false}],
    });
    shows(&made, &expected);
    let target = format!("/api/services/{}/", id(&made));
    shows(&api.get(&target).await.ok(200), &expected);
    // What is left out of a PATCH stays; what is left out of an object in it does not.
    let patch = r#"{"health_check":null,"placement":{"spread":false},"volumes":[],"update":{}}"#;
    let changed = api.patch(&target, patch).await.ok(200);
    shows(
        &changed,
        &json!({
            "health_check": check("tcp", 1),
            "update": {"parallelism": null, "max_surge": null, "auto_rollback": true},
            "restart_policy": expected["restart_policy"],
            "drain_seconds": 5,
            "placement": {"constraints": [], "spread": false},
            "volumes": [],
        }),
    );
    // What was shown can be sent back, and changes nothing.
    let versions = format!("{target}deployments/");
    let before = api.get(&versions).await.ok(200)["count"].clone();
    let again: serde_json::Map<_, _> = defaults("tcp")
        .as_object()
        .expect("fields")
        .keys()
        .map(|key| (key.clone(), changed[key].clone()))
        .collect();
    let again = api.patch(&target, &Value::Object(again).to_string()).await.ok(200);
    shows(
        &again,
        &json!({"health_check": changed["health_check"], "placement": changed["placement"]}),
    );
    assert_eq!(api.get(&versions).await.ok(200)["count"], before);
}

pub async fn what_is_wrong_with_them_is_named(api: &Api<'_>) {
    let (service, worker) = (api.service().await, api.worker().await);
    let of_service = format!("/api/services/{}/", id(&service));
    let of_worker = format!("/api/workers/{}/", id(&worker));
    let cases = [
        (
            &of_service,
            "health_check",
            json!({}),
            vec!["type: This field is required."],
        ),
        (
            &of_service,
            "health_check",
            json!({"type": "udp"}),
            vec!["type: \"udp\" is not a valid choice."],
        ),
        (
            &of_service,
            "health_check",
            json!({"type": "http"}),
            vec!["path: Needed for type \"http\"."],
        ),
        (
            &of_service,
            "health_check",
            json!({"type": "http", "path": "healthz"}),
            vec!["path: A path begins with \"/\" and has visible ASCII characters only, without \"#\"."],
        ),
        (
            &of_service,
            "health_check",
            json!({"type": "tcp", "path": "/", "command": ["true"]}),
            vec![
                "path: Means nothing for type \"tcp\".",
                "command: Means nothing for type \"tcp\".",
            ],
        ),
        (
            &of_service,
            "health_check",
            json!({"type": "command"}),
            vec!["command: Name the program to run, and its arguments."],
        ),
        (
            &of_service,
            "health_check",
            json!({"type": "tcp", "treshold": 4}),
            vec![
                "\"treshold\" is not known here; known are type, path, port, command, interval_seconds, \
                 timeout_seconds, threshold, success_threshold, start_grace_seconds.",
            ],
        ),
        (
            &of_service,
            "health_check",
            json!({"type": "tcp", "interval_seconds": 0, "threshold": "x"}),
            vec![
                "interval_seconds: Ensure this value is greater than or equal to 1.",
                "threshold: A valid integer is required.",
            ],
        ),
        (
            &of_worker,
            "health_check",
            json!({"type": "http", "path": "/"}),
            vec!["port: A worker has no port of its own; say which one is to be checked."],
        ),
        (
            &of_service,
            "update",
            json!({"parallelism": 0}),
            vec!["parallelism: Ensure this value is greater than or equal to 1."],
        ),
        (&of_service, "update", json!(null), vec!["This field may not be null."]),
        (
            &of_service,
            "restart_policy",
            json!("always"),
            vec!["Expected a dictionary of items but got type \"str\"."],
        ),
        (
            &of_service,
            "placement",
            json!({"constraints": ["node==a", "zone==b"]}),
            vec!["constraints: Item 1: A constraint is node==NAME or node!=NAME."],
        ),
        (
            &of_service,
            "drain_seconds",
            json!(3601),
            vec!["Ensure this value is less than or equal to 3600."],
        ),
        (
            &of_service,
            "volumes",
            json!([{"source": "data", "target": "/a"}, {"source": "/srv", "target": "/proc/x"}, {"source": "/srv"}]),
            vec!["Item 2: target: This field is required."],
        ),
        (
            &of_service,
            "volumes",
            json!([{"source": "data", "target": "/a"}, {"source": "/srv", "target": "/proc/x"}, {"source": "/s", "target": "/a"}]),
            vec![
                "Item 0: source: Has to be an absolute path other than \"/\", without \".\" and \"..\" in it.",
                "Item 1: target: /proc/x is taken by the system already.",
                "Item 2: target: /a is taken by item 0 already.",
            ],
        ),
    ];
    for (target, field, value, texts) in cases {
        let got = api.patch(target, &json!({field: value}).to_string()).await;
        got.is(400, json!({field: texts}));
    }
    shows(&api.get(&of_service).await.ok(200), &defaults("tcp"));
    assert_eq!(api.get(&of_service).await.ok(200)["updated_at"], service["updated_at"]);
}

pub async fn what_bears_on_containers_starts_a_deployment(api: &Api<'_>) {
    let service = api.service().await;
    let target = format!("/api/services/{}/", id(&service));
    let versions = format!("{target}deployments/");
    for (patch, count) in [
        (r#"{"update":{"parallelism":1,"auto_rollback":false}}"#, 1),
        (r#"{"health_check":{"type":"tcp"}}"#, 1),
        (r#"{"health_check":{"type":"http","path":"/"}}"#, 2),
        (r#"{"health_check":{"type":"http","path":"/"}}"#, 2),
        (r#"{"placement":{"constraints":["node!=nowhere"]}}"#, 3),
        (r#"{"drain_seconds":5,"restart_policy":{"condition":"never"}}"#, 4),
    ] {
        api.patch(&target, patch).await.ok(200);
        assert_eq!(api.get(&versions).await.ok(200)["count"], count, "{patch}");
    }
}

pub async fn folders_of_the_host_are_for_admins(api: &Api<'_>) {
    let other = api.target.keys().other.clone();
    let volumes = json!([{"source": "/srv", "target": "/data"}]);
    let body = json!({"name": api.name(), "image": "x", "port": 80, "volumes": volumes}).to_string();
    let refused = json!({"volumes": ["Only an admin may mount folders of the host."]});
    api.call_as(&other, "POST", "/api/services/", &body)
        .await
        .is(400, refused);
    api.post("/api/services/", &body).await.ok(201);
}

pub async fn they_come_back_with_a_rollback(api: &Api<'_>) {
    let service = api.service().await;
    let target = format!("/api/services/{}/", id(&service));
    api.patch(&target, r#"{"drain_seconds":5,"update":{"max_surge":2}}"#)
        .await
        .ok(200);
    let listed = api.get(&format!("{target}deployments/")).await.ok(200);
    let first = format!("/api/deployments/{}/rollback/", id(&listed["results"][0]));
    api.post(&first, "").await.ok(201);
    let back = api.get(&target).await.ok(200);
    assert_eq!(
        (&back["drain_seconds"], &back["update"]["max_surge"]),
        (&json!(30), &json!(2))
    );
}

pub async fn the_registry_secret_is_one_of_the_accounts_own_and_stays_while_it_is_used(api: &Api<'_>) {
    let secret = api
        .post("/api/secrets/", &json!({"name": "registry"}).to_string())
        .await
        .ok(201);
    let service = api.service().await;
    assert_eq!(service["registry_secret"], Value::Null);
    let target = format!("/api/services/{}/", id(&service));
    let named = json!({"registry_secret": id(&secret)}).to_string();
    let shown = api.patch(&target, &named).await.ok(200);
    assert_eq!(shown["registry_secret"], secret["id"]);
    let deployments = format!("{target}deployments/");
    assert_eq!(api.get(&deployments).await.ok(200)["count"], 2, "it is fetched anew");

    let other = api.target.keys().other.clone();
    let body = json!({"name": api.name(), "image": "x", "port": 80, "registry_secret": id(&secret)}).to_string();
    let refused = format!("Invalid pk \"{}\" - object does not exist.", id(&secret));
    api.call_as(&other, "POST", "/api/services/", &body)
        .await
        .is(400, json!({"registry_secret": [refused]}));

    let path = format!("/api/secrets/{}/", id(&secret));
    api.delete(&path).await.ok(400);
    api.patch(&target, r#"{"registry_secret":null}"#).await.ok(200);
    assert!(api.delete(&path).await.text().is_empty());
}
