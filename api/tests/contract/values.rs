//! Fields one by one: what is taken, what is answered, what is refused with which text.

use serde_json::{Value, json};

use crate::target::{Api, id};

/// One raw JSON value for one field, and what comes of it.
pub struct Case {
    sent: String,
    expected: Result<Value, Value>,
}

pub fn taken(sent: &str, answered: Value) -> Case {
    Case {
        sent: sent.into(),
        expected: Ok(answered),
    }
}

pub fn refused(sent: &str, text: &str) -> Case {
    Case {
        sent: sent.into(),
        expected: Err(json!([text])),
    }
}

pub async fn run(api: &Api<'_>, target: &str, field: &str, cases: Vec<Case>) {
    for case in cases {
        let got = api.patch(target, &format!("{{\"{field}\":{}}}", case.sent)).await;
        match case.expected {
            Ok(value) => assert_eq!(got.ok(200)[field], value, "{field}: {}", case.sent),
            Err(texts) => {
                assert_eq!(
                    (got.status.as_u16(), got.json()),
                    (400, json!({field: texts})),
                    "{field}: {}",
                    case.sent
                );
            }
        }
    }
}

pub async fn required_fields(api: &Api<'_>) {
    let required = json!(["This field is required."]);
    let all = json!({"name": required, "image": required, "port": required});
    let got = api.post("/api/services/", "{}").await;
    got.is(400, all);
    // In the order of the fields, whatever was sent first.
    assert!(got.text().starts_with("{\"name\":[") && got.text().ends_with("\"port\":[\"This field is required.\"]}"));
    api.post("/api/routes/", "")
        .await
        .is(400, json!({"path": required, "domain": required, "service": required}));
    api.post("/api/domains/", "{}")
        .await
        .is(400, json!({"hostname": required}));
    api.post("/api/workers/", "")
        .await
        .is(400, json!({"name": required, "image": required}));
    for named in ["projects", "configs", "secrets"] {
        let got = api.post(&format!("/api/{named}/"), "{}").await;
        got.is(400, json!({"name": required}));
    }
    for kind in ["configs", "secrets"] {
        let items = format!("/api/{kind}/{}/items/", id(&api.set(kind).await));
        let got = api.post(&items, r#"{"key":null}"#).await;
        got.is(400, json!({"key": ["This field may not be null."], "value": required}));
    }
}

pub async fn every_failing_field_is_reported(api: &Api<'_>) {
    let body = r#"{"project":"x","port":0,"image":null,"name":[],"replicas_target":13,"config":true}"#;
    let got = api.post("/api/services/", body).await;
    let expected = concat!(
        "{\"name\":[\"Not a valid string.\"],\"image\":[\"This field may not be null.\"],",
        "\"port\":[\"Ensure this value is greater than or equal to 1.\"],",
        "\"replicas_target\":[\"Ensure this value is less than or equal to 12.\"],",
        "\"config\":[\"Incorrect type. Expected pk value, received bool.\"],",
        "\"project\":[\"\u{201c}x\u{201d} is not a valid UUID.\"]}"
    );
    assert_eq!((got.status.as_u16(), got.text().as_str()), (400, expected));
}

pub async fn strings(api: &Api<'_>) {
    let target = format!("/api/services/{}/", id(&api.service().await));
    let base = api.name();
    let padded = format!("\" \\t\u{a0}\u{3000}\u{2003}{base} in\u{a0}ner \\n\"");
    let emoji = "\u{1f600}".repeat(32);
    let long = "x".repeat(33);
    let surrogate = "Surrogate characters are not allowed: U+D800.";
    run(
        api,
        &target,
        "name",
        vec![
            taken(&padded, json!(format!("{base} in\u{a0}ner"))),
            taken(&format!("\"{base}\u{200b}\""), json!(format!("{base}\u{200b}"))),
            taken("8080", json!("8080")),
            taken("1.50", json!("1.5")),
            taken("1e3", json!("1000.0")),
            taken(&format!("\"{emoji}\""), json!(emoji)),
            taken(&format!("\"  {}  \"", "y".repeat(32)), json!("y".repeat(32))),
            taken(&format!("\"{base}\\ud83d\\ude00\""), json!(format!("{base}\u{1f600}"))),
            taken(&format!("\"e\u{301}{base}\""), json!(format!("e\u{301}{base}"))),
            refused("null", "This field may not be null."),
            refused("\"\"", "This field may not be blank."),
            refused("\" \u{a0}\\n\u{3000}\"", "This field may not be blank."),
            refused("true", "Not a valid string."),
            refused("[]", "Not a valid string."),
            refused("{}", "Not a valid string."),
            refused(
                &format!("\"{long}\""),
                "Ensure this field has no more than 32 characters.",
            ),
            refused("\"a\\u0000b\"", "Null characters are not allowed."),
            refused("\"\\ud800\"", surrogate),
            refused("\"\\udfff\"", "Surrogate characters are not allowed: U+DFFF."),
            Case {
                sent: format!("\"{long}\\u0000\""),
                expected: Err(json!([
                    "Ensure this field has no more than 32 characters.",
                    "Null characters are not allowed."
                ])),
            },
        ],
    )
    .await;
    run(
        api,
        &target,
        "image",
        vec![
            taken("\" Registry.Example/Image:1 \"", json!("Registry.Example/Image:1")),
            taken(&format!("\"{}\"", "i".repeat(253)), json!("i".repeat(253))),
            refused("false", "Not a valid string."),
        ],
    )
    .await;
}

pub async fn integers(api: &Api<'_>) {
    let target = format!("/api/services/{}/", id(&api.service().await));
    let (low, high) = (
        "Ensure this value is greater than or equal to 1.",
        "Ensure this value is less than or equal to 65535.",
    );
    let mut cases: Vec<Case> = [
        "80", "80.0", "8.0e1", "\"80\"", "\" 80 \"", "\"+80\"", "\"0080\"", "\"80.0\"", "\"80.\"", "\"8_0\"", "\"٨٠\"",
    ]
    .iter()
    .map(|sent| taken(sent, json!(80)))
    .collect();
    cases.push(taken("1E2", json!(100)));
    cases.push(taken("65535", json!(65535)));
    for sent in [
        "\"\"",
        "\"eighty\"",
        "true",
        "[]",
        "{}",
        "2.5",
        "\"2.5\"",
        "\"0x5\"",
        "\"1e0\"",
        "\"1,0\"",
        "\"nan\"",
        "1e16",
        "1e400",
        "[80]",
    ] {
        cases.push(refused(sent, "A valid integer is required."));
    }
    for sent in ["0", "-1", "\"-5\"", "-99999999999999999999999999999999999999999"] {
        cases.push(refused(sent, low));
    }
    for sent in [
        "65536",
        "9007199254740993",
        "99999999999999999999999999999999999999999999999999",
        "1e15",
        "\"65536\"",
    ] {
        cases.push(refused(sent, high));
    }
    cases.push(refused("null", "This field may not be null."));
    cases.push(refused(&format!("\"{}\"", "1".repeat(1001)), "String value too large."));
    cases.push(refused(&format!("\"{}\"", "1".repeat(1000)), high));
    run(api, &target, "port", cases).await;
    run(
        api,
        &target,
        "replicas_target",
        vec![
            taken("12", json!(12)),
            taken("1", json!(1)),
            refused("0", low),
            refused("13", "Ensure this value is less than or equal to 12."),
        ],
    )
    .await;
}

pub async fn booleans(api: &Api<'_>) {
    let target = format!("/api/routes/{}/", id(&api.route().await));
    let mut cases = Vec::new();
    for sent in [
        "true", "1", "1.0", "\"t\"", "\"Y\"", "\"yes\"", "\"TRUE\"", "\"On\"", "\"1\"",
    ] {
        cases.push(taken(sent, json!(true)));
    }
    for sent in [
        "false",
        "0",
        "0.0",
        "\"F\"",
        "\"n\"",
        "\"NO\"",
        "\"false\"",
        "\"off\"",
        "\"0\"",
    ] {
        cases.push(taken(sent, json!(false)));
    }
    for sent in ["\"\"", "\"null\"", "2", "[]", "{}", "\" true\"", "\"maybe\"", "-1"] {
        cases.push(refused(sent, "Must be a valid boolean."));
    }
    cases.push(refused("null", "This field may not be null."));
    run(api, &target, "enabled", cases).await;
}

pub async fn references(api: &Api<'_>) {
    let (route, service, domain) = (api.route().await, api.service().await, api.domain().await);
    let target = format!("/api/routes/{}/", id(&route));
    let own = id(&service);
    let gone = |sent: &str| format!("Invalid pk \"{sent}\" - object does not exist.");
    let no_id = |sent: &str| format!("\u{201c}{sent}\u{201d} is not a valid UUID.");
    let unknown = "00000000-0000-4000-8000-000000000000";
    let too_big = "9".repeat(40);
    let mut cases: Vec<Case> = [
        own.to_owned(),
        own.to_uppercase(),
        own.replace('-', ""),
        format!("{{{own}}}"),
        format!("urn:uuid:{own}"),
    ]
    .iter()
    .map(|sent| taken(&format!("\"{sent}\""), json!(own)))
    .collect();
    cases.extend([
        refused("null", "This field may not be null."),
        refused("\"\"", "This field may not be null."),
        refused(&format!("\"{unknown}\""), &gone(unknown)),
        refused(
            &format!("\"{}\"", unknown.replace('-', "")),
            &gone(&unknown.replace('-', "")),
        ),
        refused(&format!("\"{}\"", id(&domain)), &gone(id(&domain))),
        refused("5", &gone("5")),
        refused("\"not-a-uuid\"", &no_id("not-a-uuid")),
        refused("-1", &no_id("-1")),
        refused("1.5", &no_id("1.5")),
        refused("[]", &no_id("[]")),
        refused("{}", &no_id("{}")),
        refused(&too_big, &no_id(&too_big)),
        refused(&format!("\" {own}\""), &no_id(&format!(" {own}"))),
        refused("true", "Incorrect type. Expected pk value, received bool."),
    ]);
    run(api, &target, "service", cases).await;
    assert_eq!(api.get(&target).await.ok(200)["domain"], route["domain"]);

    let target = format!("/api/services/{own}/");
    for field in ["config", "secret"] {
        run(
            api,
            &target,
            field,
            vec![
                taken("null", json!(null)),
                taken("\"\"", json!(null)),
                refused(&format!("\"{unknown}\""), &gone(unknown)),
                refused(&format!("\"{own}\""), &gone(own)),
            ],
        )
        .await;
    }
    for (field, kind) in [("config", "configs"), ("secret", "secrets")] {
        let set = api.set(kind).await;
        run(
            api,
            &target,
            field,
            vec![taken(&format!("\"{}\"", id(&set).to_uppercase()), set["id"].clone())],
        )
        .await;
    }
    let project = api.project().await;
    run(
        api,
        &target,
        "project",
        vec![
            taken(&format!("\"{}\"", id(&project).to_uppercase()), project["id"].clone()),
            refused("null", "This field may not be null."),
            refused("\"\"", "This field may not be null."),
        ],
    )
    .await;
}

pub async fn containers(api: &Api<'_>) {
    let target = format!("/api/services/{}/", id(&api.service().await));
    run(
        api,
        &target,
        "args",
        vec![
            taken("[\" a \",\"\",8080]", json!([" a ", "", "8080"])),
            taken("[]", json!([])),
            refused("\"a\"", "Expected a list of items but got type \"str\"."),
            refused("null", "This field may not be null."),
            refused("[\"a\",[]]", "Item 1: Not a valid string."),
            refused("[\"\\u0000\"]", "Item 0: Null characters are not allowed."),
        ],
    )
    .await;
    run(
        api,
        &target,
        "env",
        vec![
            taken("{\"B\":\"2\",\"A\":\" 1 \"}", json!({"A": " 1 ", "B": "2"})),
            taken("{\"A\":\"\",\"A\":7}", json!({"A": "7"})),
            refused("[]", "Expected a dictionary of items but got type \"list\"."),
            refused("{\"A\":null}", "A: This field may not be null."),
            refused(
                "{\"A=B\":\"x\"}",
                "A=B: Names of environment variables may not be empty or contain \"=\".",
            ),
        ],
    )
    .await;
    let resources = |cpu: Value, memory: Value, kept_cpu: u64, kept_memory: u64| {
        let reservations = json!({"cpu": kept_cpu, "memory": kept_memory});
        json!({"limits": {"cpu": cpu, "memory": memory}, "reservations": reservations})
    };
    run(
        api,
        &target,
        "resources",
        vec![
            taken(
                "{\"limits\":{\"cpu\":500,\"memory\":\"67108864\"}}",
                resources(json!(500), json!(67_108_864), 0, 0),
            ),
            taken(
                "{\"reservations\":{\"cpu\":100,\"memory\":null}}",
                resources(json!(null), json!(null), 100, 0),
            ),
            taken("{}", resources(json!(null), json!(null), 0, 0)),
            refused("[]", "Expected a dictionary of items but got type \"list\"."),
            refused(
                "{\"limits\":{\"cpu\":0}}",
                "limits.cpu: Ensure this value is greater than or equal to 1.",
            ),
            refused(
                "{\"reservations\":{\"memory\":\"much\"}}",
                "reservations.memory: A valid integer is required.",
            ),
        ],
    )
    .await;
    run(
        api,
        &target,
        "stop_grace_seconds",
        vec![
            taken("0", json!(0)),
            refused("3601", "Ensure this value is less than or equal to 3600."),
        ],
    )
    .await;
}

pub async fn a_failed_request_changes_nothing(api: &Api<'_>) {
    let service = api.service().await;
    let target = format!("/api/services/{}/", id(&service));
    let name = api.name();
    api.patch(&target, &format!(r#"{{"name":"{name}","port":0}}"#))
        .await
        .ok(400);
    assert_eq!(api.get(&target).await.ok(200)["name"], service["name"]);
    assert_eq!(api.get(&target).await.ok(200)["updated_at"], service["updated_at"]);
}
