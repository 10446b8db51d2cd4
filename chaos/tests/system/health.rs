//! How services are judged: health checks, limits, and updates that cannot work, each told by its own reason while the
//! revision before goes on serving.

use std::time::Duration;

use chaos::image::Variant;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::can_make_hosts;
use crate::fixture::{Fixture, id};

/// Makes a service with these settings besides the usual ones.
async fn service(it: &Fixture, name: &str, image: &str, settings: Value) -> String {
    let mut wanted = json!({"name": name, "image": image, "port": 8080});
    wanted
        .as_object_mut()
        .expect("an object")
        .extend(settings.as_object().expect("an object").clone());
    id(&it.api(1).post("/api/services/", &wanted).await.unwrap())
}

async fn patch(it: &Fixture, service: &str, patch: &Value) {
    it.api(1)
        .patch(&format!("/api/services/{service}/"), patch)
        .await
        .unwrap();
}

/// The codes that its replicas have given, now.
async fn replicas(it: &Fixture, service: &str) -> Vec<Value> {
    let list = it
        .api(1)
        .get(&format!("/api/services/{service}/replicas/"))
        .await
        .unwrap();
    list["results"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_cannot_work_says_why_and_leaves_the_last_good_revision_serving() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(1).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let cases = [
        (
            "format",
            json!({"command": ["/no-program"]}),
            vec!["not made for this host's processor"],
        ),
        (
            "command",
            json!({"command": ["/no-such-program"]}),
            vec!["not in the image", "/no-such-program"],
        ),
        (
            "mode",
            json!({"command": ["/etc/passwd"]}),
            vec!["chmod +x", "/etc/passwd"],
        ),
        (
            "port",
            json!({"env": {"PORT": "9999"}, "health_check": {"type": "tcp", "start_grace_seconds": 3}}),
            vec!["nothing accepts connections on TCP port 8080"],
        ),
        (
            "health",
            json!({"health_check": {"type": "http", "path": "/status?code=500", "interval_seconds": 1, "start_grace_seconds": 2}}),
            vec!["`GET /status?code=500` on port 8080 answered 500, not 2xx or 3xx"],
        ),
        (
            "check",
            json!({"health_check": {
                "type": "command", "command": ["/testserver", "--has=/none"], "interval_seconds": 1, "start_grace_seconds": 1,
            }}),
            vec![
                "the health check `/testserver --has=/none` ended with exit code 1, not 0",
                "it printed last: there is no /none",
            ],
        ),
        (
            "large",
            json!({"resources": {"limits": {"memory": 1_u64 << 50}}}),
            vec!["resources.limits.memory is 1073741824 MiB", "the largest node, node-1"],
        ),
        (
            "constraint",
            json!({"placement": {"constraints": ["node==n9"]}}),
            vec!["node==n9", "the nodes are node-1"],
        ),
        (
            "volume",
            json!({"volumes": [{"source": "/no/such/folder", "target": "/data"}]}),
            vec!["`/no/such/folder`", "node node-1"],
        ),
        (
            "memory",
            json!({"command": ["/testserver", "--eat"], "resources": {"limits": {"memory": 32 << 20}}}),
            vec![
                "its limit of 32 MiB",
                "exit code 137",
                "resources.limits.memory",
                "ate 16 MiB",
            ],
        ),
        (
            "crash",
            json!({"args": ["--exit=3"]}),
            vec!["exit code 3", "told to end at once"],
        ),
    ];
    let mut services = Vec::new();
    for (name, ..) in &cases {
        let service = service(&it, name, &image, json!({})).await;
        it.route(1, 1, &format!("{name}.test"), &service).await;
        services.push(service);
    }
    for service in &services {
        it.wait_ready(1, service, 1).await;
    }
    for ((_, bad, _), service) in cases.iter().zip(&services) {
        patch(&it, service, bad).await;
    }
    for ((name, _, words), service) in cases.iter().zip(&services) {
        let good = |shown: &Value| {
            let reason = shown["status_reason"].as_str().unwrap_or_default();
            shown["status"] == "error" && words.iter().all(|word| reason.contains(word))
        };
        let what = format!("`{name}` in error with a reason that says {words:?}");
        let shown = it.wait_service(1, service, &what, good).await;
        eprintln!("{name}: {}", shown["status_reason"]);
        assert_eq!(it.answers(1, &format!("{name}.test"), 1).await.len(), 1);
        let settled = |shown: &Value| shown["replicas_running"] == 1;
        it.wait_service(1, service, "the old revision serves", settled).await;
        let versions: Vec<_> = replicas(&it, service)
            .await
            .iter()
            .map(|it| it["version"].clone())
            .collect();
        assert!(versions.contains(&json!(1)), "{name}: {versions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_check_fails_leaves_the_routes_and_is_started_anew() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(1).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let check = json!({"type": "http", "path": "/healthz", "interval_seconds": 1, "threshold": 2});
    let settings = json!({"replicas_target": 2, "health_check": check});
    let service = service(&it, "web", &image, settings).await;
    it.route(1, 1, "web.test", &service).await;
    it.wait_ready(1, &service, 2).await;
    let ask = async |path: &str| {
        let limit = Duration::from_secs(5);
        let proxy = it.cluster.proxy(1).unwrap();
        proxy
            .send(Method::GET, path, &[("Host", "web.test")], None, limit)
            .await
    };
    let sick = ask("/sicken").await.unwrap().json()["replica"].clone();
    it.wait_service(1, &service, "one replica is out of service", |it| {
        it["replicas_running"] == 1
    })
    .await;
    // No request meets it from now on, and none is lost while it is started anew.
    let mut told = String::new();
    let restarted = loop {
        let answer = ask("/hello").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let all = replicas(&it, &service).await;
        let own = all.iter().find(|it| it["id"] == sick).expect("it keeps its id");
        if let Some(reason) = own["reason"]["message"].as_str() {
            told = format!("{}: {reason}", own["reason"]["code"]);
        }
        if own["restarts"] == 1 && own["state"] == "ready" {
            break true;
        }
        if own["state"] != "ready" {
            assert_ne!(answer.json()["replica"], sick, "{own}");
        }
    };
    assert!(restarted);
    assert!(
        told.contains("health_failed") && told.contains("`GET /healthz` on port 8080 answered 500, not 2xx or 3xx"),
        "{told}"
    );
    it.wait_ready(1, &service, 2).await;
    assert_eq!(it.answers(1, "web.test", 2).await.len(), 2, "it takes requests again");
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_commands_policies_and_limits_do_what_they_say() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(1).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let shell = |script: &str| {
        let output = it.lab.exec(1, &["sh", "-c", script], crate::common::PATIENCE).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    shell("mkdir -p /run/shared");
    let check = json!({
        "type": "command", "command": ["/testserver", "--has=/data/well"], "interval_seconds": 1, "threshold": 2,
    });
    let worker = json!({
        "name": "worker", "image": image, "health_check": check,
        "volumes": [{"source": "/run/shared", "target": "/data", "read_only": true}],
        "resources": {"limits": {"cpu": 250, "memory": 48 << 20}},
    });
    let worker = id(&it.api(1).post("/api/workers/", &worker).await.unwrap());
    let target = format!("/api/workers/{worker}/");
    let until = async |what: &str, good: &dyn Fn(&Value) -> bool| {
        crate::common::eventually_some(what, async || {
            it.api(1).get(&target).await.ok().filter(|shown| good(shown))
        })
        .await
    };
    until("its program runs", &|_| it.container_pids(1).len() == 1).await;
    assert_eq!(
        it.api(1).get(&target).await.unwrap()["replicas_running"],
        0,
        "the file is not there"
    );
    shell("touch /run/shared/well");
    until("it is ready once the file is there", &|shown| {
        shown["replicas_running"] == 1
    })
    .await;
    // The kernel holds it to its limits.
    let limits = shell(
        "find /sys/fs/cgroup \\( -name cpu.cfs_quota_us -o -name cpu.max -o -name memory.limit_in_bytes -o -name \
         memory.max \\) | xargs cat 2>/dev/null",
    );
    assert!(limits.contains("25000"), "a quarter of a CPU: {limits}");
    assert!(limits.contains(&(48 << 20).to_string()), "48 MiB: {limits}");
    shell("rm /run/shared/well");
    until("it is out of service", &|shown| shown["replicas_running"] == 0).await;
    crate::common::eventually_some("it is started anew", async || {
        let list = it.api(1).get(&format!("{target}replicas/")).await.ok()?;
        (list["results"][0]["restarts"].as_u64()? > 0).then_some(())
    })
    .await;

    let once = json!({
        "name": "once", "image": image, "args": ["--exit=0"], "restart_policy": {"condition": "on-failure"},
    });
    let once = id(&it.api(1).post("/api/workers/", &once).await.unwrap());
    crate::common::eventually_some("it says that it is not started again", async || {
        let list = it.api(1).get(&format!("/api/workers/{once}/replicas/")).await.ok()?;
        let replica = list["results"].get(0)?.clone();
        let said = replica["reason"]["message"].as_str()?.contains("is not started again");
        (said && replica["restarts"] == 0).then_some(replica)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auto_rollback_a_failed_update_stays_and_the_old_replicas_too() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(1).await;
    let image = it.push("web", "1", &Variant::server("1")).await;
    let settings = json!({"replicas_target": 2, "update": {"auto_rollback": false}});
    let service = service(&it, "web", &image, settings).await;
    it.route(1, 1, "web.test", &service).await;
    it.wait_ready(1, &service, 2).await;
    patch(&it, &service, &json!({"args": ["--exit=3"]})).await;
    it.wait_service(1, &service, "it is in error", |it| it["status"] == "error")
        .await;
    let mut versions: Vec<_> = replicas(&it, &service)
        .await
        .iter()
        .map(|it| it["version"].to_string())
        .collect();
    versions.sort();
    assert_eq!(versions, ["1", "1", "2"], "the failed one stays");
    assert_eq!(it.answers(1, "web.test", 2).await.len(), 2);
    // What comes up after all has succeeded.
    patch(&it, &service, &json!({"args": []})).await;
    it.wait_ready(1, &service, 2).await;
}
