use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn value() -> Value {
    serde_json::to_value(get()).expect("JSON")
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|it| references(it, found));
        }
        Value::Array(items) => items.iter().for_each(|it| references(it, found)),
        _ => {}
    }
}

#[test]
fn every_path_and_method_is_described_once() {
    let document = value();
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), PATHS.len());
    let mut ids = BTreeSet::new();
    for path in PATHS {
        let item = &paths[path.pattern];
        for method in path.methods {
            let operation = &item[method.to_lowercase()];
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} twice");
            let responses = operation["responses"].as_object().expect("answers");
            assert!(
                responses.keys().any(|it| it.starts_with('2') || it == "101"),
                "{id} never succeeds"
            );
        }
        let declared: Vec<_> = item["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| &it["name"])
            .collect();
        for name in ["parent", "id"] {
            let holds = path.pattern.contains(&format!("{{{name}}}"));
            assert_eq!(declared.iter().any(|it| *it == name), holds, "{}", path.pattern);
        }
    }
}

#[test]
fn whatever_takes_an_idempotency_key_may_refuse_it() {
    let document = value();
    let key = Value::from("#/components/parameters/idempotencyKey");
    let mut taking = BTreeSet::new();
    for item in document["paths"].as_object().expect("paths").values() {
        for (method, operation) in item.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array();
            let takes = parameters.is_some_and(|all| all.iter().any(|it| it["$ref"] == key));
            let refuses = operation["responses"].get("422").is_some();
            assert_eq!(takes, refuses, "{method} {}", operation["operationId"]);
            taking.extend(takes.then_some(method.as_str()));
        }
    }
    assert_eq!(taking, BTreeSet::from(["post", "patch", "delete"]));
}

#[test]
fn every_reference_leads_somewhere_and_every_part_is_used() {
    let document = value();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').expect("a local one");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let used: BTreeSet<_> = found.into_iter().collect();
    for kind in ["schemas", "parameters", "responses"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(reference.as_str()), "nothing uses {reference}");
        }
    }
}

#[test]
fn every_property_has_a_type_and_a_meaning() {
    let document = value();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        let named = !name.ends_with("List") && !["Detail", "FieldErrors"].contains(&name.as_str());
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                schema.get("type").is_some() || schema.get("$ref").is_some(),
                "{name}.{property}"
            );
            assert!(
                !named || schema["description"].as_str().is_some_and(|it| !it.is_empty()),
                "{name}.{property}"
            );
        }
    }
}

#[test]
fn what_may_be_null_says_so() {
    let document = value();
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["Service"]["properties"]["config"]["type"],
        serde_json::json!(["string", "null"])
    );
    let item = &schemas["SecretItem"]["properties"]["value"]["type"];
    assert_eq!(*item, serde_json::json!(["string", "null"]), "not shown in lists");
    assert_eq!(schemas["SecretItemCreate"]["properties"]["value"]["type"], "string");
    let required = schemas["ServiceCreate"]["required"].as_array().expect("a list");
    assert_eq!(required, &["name", "image", "port"]);
}
