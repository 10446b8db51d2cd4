//! Configs and secrets, as far as they are alike, and their items.

use serde_json::{Value, json};

use crate::target::{Api, id, keys_in_order, moved_on};
use crate::values::{Case, refused, run, taken};

/// Path, and what an item calls its parent.
const KINDS: [(&str, &str); 2] = [("configs", "config"), ("secrets", "secret")];

pub async fn sets(api: &Api<'_>) {
    for (kind, _) in KINDS {
        let name = api.name();
        let got = api
            .post(
                &format!("/api/{kind}/"),
                &json!({"name": format!(" {name} ")}).to_string(),
            )
            .await;
        let made = got.ok(201);
        let fields = [
            "id",
            "name",
            "is_default",
            "status",
            "deploy_successful",
            "created_at",
            "updated_at",
            "project",
        ];
        keys_in_order(&got.text(), &fields);
        for (field, value) in [
            ("name", json!(name)),
            ("is_default", json!(false)),
            ("status", json!("ready")),
            ("deploy_successful", json!(true)),
        ] {
            assert_eq!(made[field], value, "{kind} {field}");
        }
        let target = format!("/api/{kind}/{}/", id(&made));
        api.get(&target).await.is(200, made.clone());
        let body = json!({"name": api.name(), "is_default": true, "status": "error"}).to_string();
        let renamed = api.patch(&target, &body).await.ok(200);
        moved_on(&made, &renamed);
        assert_eq!(
            (&renamed["is_default"], &renamed["status"]),
            (&json!(false), &json!("ready"))
        );
        moved_on(&renamed, &api.patch(&target, "").await.ok(200));
        // Names need not be unique.
        let again = json!({"name": renamed["name"]}).to_string();
        api.post(&format!("/api/{kind}/"), &again).await.ok(201);

        let project = api.project().await;
        let filed = json!({"project": project["id"]}).to_string();
        assert_eq!(api.patch(&target, &filed).await.ok(200)["project"], project["id"]);
        let listed = api.get(&format!("/api/{kind}/?project={}", id(&project))).await.ok(200);
        assert_eq!(
            (&listed["count"], &listed["results"][0]["id"]),
            (&json!(2), &made["id"])
        );
        let holds = api.delete(&format!("/api/projects/{}/", id(&project))).await.ok(400);
        let name = renamed["name"].as_str().expect("a name");
        assert!(holds["detail"].as_str().is_some_and(|it| it.contains(name)), "{holds}");

        let other = api.target.keys().other.clone();
        for method in ["GET", "PATCH", "DELETE"] {
            api.call_as(&other, method, &target, "").await.detail(404, "Not found.");
        }
        assert_eq!(api.delete(&target).await.status.as_u16(), 204);
        api.get(&target).await.detail(404, "Not found.");
        assert_eq!(
            api.delete(&format!("/api/projects/{}/", id(&project)))
                .await
                .status
                .as_u16(),
            204
        );
    }
}

pub async fn items(api: &Api<'_>) {
    for (kind, parent) in KINDS {
        let set = api.set(kind).await;
        let items = format!("/api/{kind}/{}/items/", id(&set));
        let body = json!({"key": " KEY_1 ", "value": " a b\u{a0}\n", parent: "x", "id": 5}).to_string();
        let got = api.post(&items, &body).await;
        let made = got.ok(201);
        keys_in_order(&got.text(), &["id", parent, "key", "value", "created_at", "updated_at"]);
        assert_eq!(
            (&made[parent], &made["key"], &made["value"]),
            (&set["id"], &json!("KEY_1"), &json!("a b"))
        );
        let target = format!("{items}{}/", id(&made));
        let shown = api.get(&target).await;
        assert!(shown.header("etag").is_some());
        assert_eq!(
            (&shown.ok(200)["id"], &shown.json()["value"]),
            (&made["id"], &json!("a b"))
        );
        let changed = api.patch(&target, r#"{"value":"c"}"#).await.ok(200);
        moved_on(&made, &changed);
        assert_eq!((&changed["key"], &changed["value"]), (&json!("KEY_1"), &json!("c")));
        let renamed = api.patch(&target, r#"{"key":"KEY_2"}"#).await.ok(200);
        moved_on(&changed, &renamed);
        moved_on(&renamed, &api.patch(&target, "").await.ok(200));
        let shown = api.get(&target).await.ok(200);
        assert_eq!((&shown["key"], &shown["value"]), (&json!("KEY_2"), &json!("c")));

        api.item(kind, &set, "A", "1").await;
        let listed = async |query: &str| {
            let page = api.get(&format!("{items}{query}")).await.ok(200);
            let keys = page["results"].as_array().expect("results").iter();
            keys.map(|it| it["key"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(listed("").await, ["KEY_2", "A"]);
        assert_eq!(listed("?ordering=key").await, ["A", "KEY_2"]);
        assert_eq!(listed("?ordering=-created_at").await, ["A", "KEY_2"]);
        // No filter here.
        assert_eq!(listed("?project=x").await.len(), 2);
        let before = api.get(&format!("/api/{kind}/{}/", id(&set))).await.ok(200);
        assert!(before["updated_at"].as_str() > set["updated_at"].as_str());

        assert_eq!(api.delete(&target).await.status.as_u16(), 204);
        for method in ["GET", "PATCH", "DELETE"] {
            api.call(method, &target, "").await.detail(404, "Not found.");
        }
        // Its key is free again.
        api.item(kind, &set, "KEY_2", "3").await;
    }
}

pub async fn keys_and_values(api: &Api<'_>) {
    for (kind, _) in KINDS {
        let set = api.set(kind).await;
        let item = api.item(kind, &set, "KEY", "value").await;
        let target = format!("/api/{kind}/{}/items/{}/", id(&set), id(&item));
        let both = || {
            vec![
                refused("null", "This field may not be null."),
                refused("\" \\u3000 \"", "This field may not be blank."),
                refused("false", "Not a valid string."),
                refused("[]", "Not a valid string."),
                refused("{}", "Not a valid string."),
                refused("\"a\\u0000b\"", "Null characters are not allowed."),
                refused("\"\\ud800\"", "Surrogate characters are not allowed: U+D800."),
            ]
        };
        let mut keys = both();
        keys.push(taken(&format!("\"{}\"", "K".repeat(253)), json!("K".repeat(253))));
        keys.push(refused(
            &format!("\"{}\"", "K".repeat(254)),
            "Ensure this field has no more than 253 characters.",
        ));
        run(api, &target, "key", keys).await;
        let mut values = both();
        values.push(taken("8080", json!("8080")));
        values.push(taken("1.50", json!("1.5")));
        values.push(taken("\"  x=y z\\n\"", json!("x=y z")));
        for (unit, times) in [("v", 64 * 1024), ("v", 512_000), ("\u{1f600}", 128_000)] {
            let long = unit.repeat(times);
            values.push(taken(&format!("\" {long} \""), json!(long)));
            let longer = format!("{}{unit}", unit.repeat(512_000 / unit.len()));
            values.push(refused(
                &format!("\"{longer}\""),
                "Ensure this value has no more than 500 KB (512000 bytes in UTF-8).",
            ));
        }
        values.push(refused(
            &format!("\"{}\"", "v".repeat(1 << 20)),
            "Ensure this value has no more than 500 KB (512000 bytes in UTF-8).",
        ));
        run(api, &target, "value", values).await;
        // Together with what else is wrong.
        let body = json!({"value": "v".repeat(600_000), "key": ""}).to_string();
        let got = api.patch(&target, &body).await.ok(400);
        assert_eq!(got["key"], json!(["This field may not be blank."]));
        assert!(got["value"].is_array());
    }
    let set = api.set("configs").await;
    let item = api.item("configs", &set, "any key.at-all/\u{e9}", "1").await;
    let target = format!("/api/configs/{}/items/{}/", id(&set), id(&item));
    let text = "Names of environment variables may not be empty or contain \"=\".";
    let cases: Vec<Case> = vec![
        refused("\"a=b\"", text),
        refused("\"=\"", text),
        taken("8080", json!("8080")),
    ];
    run(api, &target, "key", cases).await;
}

pub async fn keys_are_unique_within_their_set(api: &Api<'_>) {
    for (kind, parent) in KINDS {
        let (set, other) = (api.set(kind).await, api.set(kind).await);
        let first = api.item(kind, &set, "KEY", "1").await;
        let second = api.item(kind, &set, "key", "2").await;
        let unique = json!({"non_field_errors": [format!("The fields {parent}, key must make a unique set.")]});
        let items = format!("/api/{kind}/{}/items/", id(&set));
        let body = json!({"key": "\u{3000}KEY ", "value": "3"}).to_string();
        api.post(&items, &body).await.is(400, unique.clone());
        api.patch(&format!("{items}{}/", id(&second)), r#"{"key":"KEY"}"#)
            .await
            .is(400, unique.clone());
        // Only if all fields have passed.
        let got = api.post(&items, r#"{"key":"KEY","value":null}"#).await;
        got.is(400, json!({"value": ["This field may not be null."]}));
        // Its own key is fine, and so is the same key elsewhere.
        api.patch(&format!("{items}{}/", id(&first)), r#"{"key":"KEY","value":"4"}"#)
            .await
            .ok(200);
        api.item(kind, &other, "KEY", "5").await;
        assert_eq!(api.get(&items).await.ok(200)["count"], 2);
    }
}

pub async fn items_live_under_their_parent(api: &Api<'_>) {
    let foreign = api.target.keys().other.clone();
    for (kind, _) in KINDS {
        let (set, other) = (api.set(kind).await, api.set(kind).await);
        let item = api.item(kind, &set, "KEY", "1").await;
        let wrong_kind = api.set(if kind == "configs" { "secrets" } else { "configs" }).await;
        let unknown = "00000000-0000-4000-8000-000000000000";
        for parent in [unknown, "x", "%00", id(&item), id(&wrong_kind)] {
            let items = format!("/api/{kind}/{parent}/items/");
            api.get(&items).await.detail(404, "Not found.");
            // Whatever the body.
            for body in ["{", r#"{"key":"K","value":"1"}"#, "[]"] {
                api.post(&items, body).await.detail(404, "Not found.");
            }
            api.get(&format!("{items}?page=99")).await.detail(404, "Not found.");
        }
        for parent in [unknown, "x", id(&other)] {
            let target = format!("/api/{kind}/{parent}/items/{}/", id(&item));
            for method in ["GET", "PATCH", "DELETE"] {
                let body = if method == "PATCH" { "{" } else { "" };
                api.call(method, &target, body).await.detail(404, "Not found.");
            }
        }
        let items = format!("/api/{kind}/{}/items/", id(&set));
        for target in [items.clone(), format!("{items}{}/", id(&item))] {
            for method in ["GET", "POST", "PATCH", "DELETE"] {
                let got = api.call_as(&foreign, method, &target, "").await;
                if got.status.as_u16() != 405 {
                    got.detail(404, "Not found.");
                }
            }
        }
        for text in ["x", unknown, "%FF"] {
            api.patch(&format!("{items}{text}/"), "{")
                .await
                .detail(404, "Not found.");
        }
        let spelled = format!(
            "/api/{kind}/{}/items/%7B{}%7D/",
            id(&set).to_uppercase(),
            id(&item).replace('-', "")
        );
        assert_eq!(api.get(&spelled).await.ok(200)["id"], item["id"]);
        let allow = async |target: &str| {
            let got = api.call("PUT", target, "{}").await;
            got.detail(405, "Method \"PUT\" not allowed.");
            got.header("allow").map(str::to_owned)
        };
        assert_eq!(allow(&items).await.as_deref(), Some("GET, POST, HEAD, OPTIONS"));
        let one = format!("{items}{}/", id(&item));
        assert_eq!(allow(&one).await.as_deref(), Some("GET, PATCH, DELETE, HEAD, OPTIONS"));
        // They go with their parent.
        assert_eq!(
            api.delete(&format!("/api/{kind}/{}/", id(&set))).await.status.as_u16(),
            204
        );
        api.get(&items).await.detail(404, "Not found.");
        api.get(&one).await.detail(404, "Not found.");
    }
}

async fn defaults(api: &Api<'_>, project: &Value) -> [Value; 2] {
    let mut found = [Value::Null, Value::Null];
    for ((kind, _), found) in KINDS.into_iter().zip(&mut found) {
        let listed = api.get(&format!("/api/{kind}/?project={}", id(project))).await.ok(200);
        assert_eq!(listed["count"], 1, "{listed}");
        *found = listed["results"][0].clone();
        assert_eq!(
            (&found["name"], &found["is_default"]),
            (&json!("Default"), &json!(true))
        );
    }
    found
}

pub async fn every_project_has_defaults(api: &Api<'_>) {
    let project = api.project().await;
    let [config, secret] = defaults(api, &project).await;
    let mut made = Vec::new();
    for kind in ["services", "workers"] {
        let mut body = json!({"name": api.name(), "image": "x", "port": 1, "project": project["id"]});
        let plain = api.post(&format!("/api/{kind}/"), &body.to_string()).await.ok(201);
        assert_eq!(
            (&plain["config"], &plain["secret"]),
            (&config["id"], &secret["id"]),
            "{kind}"
        );
        made.push(format!("/api/{kind}/{}/", id(&plain)));
        // Null is none.
        body["name"] = json!(api.name());
        body["config"] = json!(null);
        body["secret"] = json!("");
        let bare = api.post(&format!("/api/{kind}/"), &body.to_string()).await.ok(201);
        assert_eq!(
            (&bare["config"], &bare["secret"]),
            (&json!(null), &json!(null)),
            "{kind}"
        );
        made.push(format!("/api/{kind}/{}/", id(&bare)));
    }
    // The account's default project has some too.
    let service = api.service().await;
    assert!(
        service["config"].is_string() && service["config"] != config["id"],
        "{service}"
    );

    for ((kind, word), set) in KINDS.into_iter().zip([&config, &secret]) {
        let target = format!("/api/{kind}/{}/", id(set));
        let used = api.delete(&target).await.ok(400);
        assert!(
            used["detail"].as_str().is_some_and(|it| it.contains("in use")),
            "{used}"
        );
        let elsewhere = json!({"project": service["project"]}).to_string();
        let stays = api.patch(&target, &elsewhere).await.ok(400);
        assert!(stays["detail"].as_str().is_some_and(|it| it.contains(word)), "{stays}");
        assert_eq!(
            api.patch(&target, r#"{"name":"mine"}"#).await.ok(200)["is_default"],
            true
        );
        api.item(kind, set, "KEY", "1").await;
    }
    for target in made {
        assert_eq!(api.delete(&target).await.status.as_u16(), 204);
    }
    for ((kind, _), set) in KINDS.into_iter().zip([&config, &secret]) {
        api.delete(&format!("/api/{kind}/{}/", id(set))).await.ok(400);
    }
    // A project that holds only its defaults goes, and they go with it.
    assert_eq!(
        api.delete(&format!("/api/projects/{}/", id(&project)))
            .await
            .status
            .as_u16(),
        204
    );
    for ((kind, _), set) in KINDS.into_iter().zip([&config, &secret]) {
        api.get(&format!("/api/{kind}/{}/", id(set)))
            .await
            .detail(404, "Not found.");
        api.get(&format!("/api/{kind}/{}/items/", id(set)))
            .await
            .detail(404, "Not found.");
        let listed = api.get(&format!("/api/{kind}/?project={}", id(&project))).await.ok(200);
        assert_eq!(listed["count"], 0);
    }
}

pub async fn what_is_used_stays(api: &Api<'_>) {
    for (kind, word) in KINDS {
        let set = api.set(kind).await;
        let target = format!("/api/{kind}/{}/", id(&set));
        let attach = json!({word: set["id"]}).to_string();
        let (service, worker) = (api.service().await, api.worker().await);
        let users = [("services", service), ("workers", worker)];
        for (users, user) in &users {
            let one = format!("/api/{users}/{}/", id(user));
            assert_eq!(api.patch(&one, &attach).await.ok(200)[word], set["id"]);
        }
        let refused = api.delete(&target).await.ok(400)["detail"]
            .as_str()
            .expect("a detail")
            .to_owned();
        for (_, user) in &users {
            assert!(refused.contains(user["name"].as_str().expect("a name")), "{refused}");
        }
        for (users, user) in &users {
            api.get(&target).await.ok(200);
            let one = format!("/api/{users}/{}/", id(user));
            assert_eq!(
                api.patch(&one, &json!({word: null}).to_string()).await.ok(200)[word],
                json!(null)
            );
        }
        assert_eq!(api.delete(&target).await.status.as_u16(), 204);
        // What is gone cannot be named.
        let text = format!("Invalid pk \"{}\" - object does not exist.", id(&set));
        let one = format!("/api/services/{}/", id(&users[0].1));
        api.patch(&one, &attach).await.is(400, json!({word: [text]}));
    }
}
