//! What cannot run: the service says why, and what to do; the daemon stays up and goes on working.

use chaos::image::Variant;
use serde_json::Value;

use crate::common::can_make_hosts;
use crate::fixture::Fixture;

/// Waits until the service is in error and gives its reason as text.
async fn reason(it: &Fixture, service: &str, words: &[&str]) -> String {
    let good = |shown: &Value| {
        let reason = shown["status_reason"].to_string();
        shown["status"] == "error" && words.iter().all(|word| reason.contains(word))
    };
    let what = format!("status `error` with a reason that says {words:?}");
    let shown = it.wait_service(1, service, &what, good).await;
    shown["status_reason"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_run_says_why_and_the_daemon_stays_up() {
    if !can_make_hosts() {
        return;
    }
    let it = Fixture::start(1).await;
    let daemon = it.cluster.daemon(1).unwrap().id();
    let registry = it.registry.address().to_owned();

    let absent = format!("{registry}/no-such-image:1");
    let foreign = it.push("foreign", "1", &Variant::of_other_architecture()).await;
    let exits = it.push("exits", "1", &Variant::exits_at_once(3)).await;
    let hollow = it.push("hollow", "1", &Variant::without_program()).await;
    let nowhere = format!("{}:5999/web:1", it.lab.network().gateway());

    let cases = [
        ("absent", &absent, vec!["no-such-image"]),
        ("nowhere", &nowhere, vec![":5999"]),
        ("foreign", &foreign, vec!["foreign:1", "s390x"]),
        ("exits", &exits, vec!["3"]),
        ("hollow", &hollow, vec!["/no-such-program"]),
    ];
    let mut services = Vec::new();
    for (name, image, words) in &cases {
        services.push((it.service(1, name, image, 1).await, words));
    }
    for (service, words) in &services {
        reason(&it, service, words).await;
    }

    // The daemon is the same one, and does what can be done.
    assert!(daemon.alive());
    let image = it.push("web", "1", &Variant::server("1")).await;
    let service = it.service(1, "good", &image, 1).await;
    it.wait_ready(1, &service, 1).await;

    // A service in error is mended by a good image, and one can be deleted.
    let (absent, _) = &services[0];
    let api = it.api(1);
    api.patch(
        &format!("/api/services/{absent}/"),
        &serde_json::json!({"image": image}),
    )
    .await
    .unwrap();
    it.wait_ready(1, absent, 1).await;
    let (foreign, _) = &services[2];
    api.delete(&format!("/api/services/{foreign}/")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_and_a_foreign_data_folder_are_refused_with_a_reason() {
    if !can_make_hosts() {
        return;
    }
    let mut it = Fixture::start(1).await;
    it.lab.boot(2).unwrap();
    let address = it.lab.address(2);
    let first = it.lab.address(1);
    let goblins = chaos::paths::goblins().unwrap();
    let run = |data: &std::path::Path, more: &[String]| {
        let mut words: Vec<String> = vec![goblins.display().to_string(), "server".into(), "--no-agent".into()];
        words.extend([
            "--data-dir".into(),
            data.display().to_string(),
            "--node-name".into(),
            "late".into(),
        ]);
        for (flag, port) in [("--api-addr", 7400), ("--peer-addr", 7401), ("--http-addr", 8080)] {
            words.extend([flag.into(), format!("{address}:{port}")]);
        }
        words.extend_from_slice(more);
        let output = it.lab.exec(2, &words, crate::common::PATIENCE).unwrap();
        assert!(!output.status.success(), "it should have refused");
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
    };

    let join = [
        "--join".to_owned(),
        format!("{first}:7401"),
        "--token".to_owned(),
        "wrong".to_owned(),
    ];
    let said = run(&it.lab.disk(2).join("data"), &join);
    assert!(said.to_lowercase().contains("token"), "{said}");

    // Well-formed, but of another cluster: nothing is sent to this one.
    let other = [
        "--join".to_owned(),
        format!("{first}:7401"),
        "--token".to_owned(),
        format!("gobj_wrong_{}", "0".repeat(64)),
    ];
    let said = run(&it.lab.disk(2).join("data"), &other);
    assert!(said.contains("not the cluster that the token was made for"), "{said}");

    let nobody = [
        "--join".to_owned(),
        format!("{first}:7999"),
        "--token".to_owned(),
        format!("gobj_wrong_{}", "0".repeat(64)),
    ];
    let said = run(&it.lab.disk(2).join("data2"), &nobody);
    assert!(said.contains(":7999"), "{said}");

    // The folder of the node on host 1, which still runs.
    let said = run(&it.lab.disk(1).join("data"), &[]);
    assert!(
        said.contains(&it.lab.disk(1).join("data").display().to_string()),
        "{said}"
    );
}
