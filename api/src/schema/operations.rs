//! Every path with its methods: what is sent, and all that may be answered.

use super::endpoints::{About, Kind, about};
use super::streams;
use crate::output::Out;
use crate::router::paths::{Access, Endpoint, Path};

/// What begins a deployment.
const BEGINS: [Endpoint; 3] = [Endpoint::Rollback, Endpoint::ServiceRestart, Endpoint::WorkerRestart];

type Members = Vec<(std::borrow::Cow<'static, str>, Out)>;

/// All that one path can do.
pub fn path_item(path: &Path) -> Out {
    let about = about(path.endpoint);
    let mut item: Members = Vec::new();
    let ids: Vec<Out> = ["parent", "id"]
        .into_iter()
        .filter(|name| path.pattern.contains(&format!("{{{name}}}")))
        .map(|name| id_parameter(path.endpoint, name))
        .collect();
    if !ids.is_empty() {
        item.push(("parameters".into(), Out::List(ids)));
    }
    for method in path.methods {
        item.push((method.to_lowercase().into(), operation(path, method, &about)));
    }
    Out::Object(item)
}

fn operation(path: &Path, method: &str, about: &About) -> Out {
    let mut members: Members = vec![
        ("operationId".into(), operation_id(path, method).into()),
        ("tags".into(), [about.tag].into_iter().collect()),
        ("summary".into(), summary(method, about).into()),
    ];
    let parameters = parameters(path, method, about);
    if !parameters.is_empty() {
        members.push(("parameters".into(), Out::List(parameters)));
    }
    if let Some(body) = request_body(path, method, about) {
        members.push(("requestBody".into(), body));
    }
    members.push(("responses".into(), responses(path, method, about)));
    if path.access == Access::Open {
        members.push(("security".into(), Out::List(Vec::new())));
    }
    Out::Object(members)
}

/// Such as `get_services_by_id`.
fn operation_id(path: &Path, method: &str) -> String {
    let words = path
        .pattern
        .trim_start_matches("/api/")
        .split('/')
        .filter(|it| !it.is_empty());
    let words: Vec<_> = words
        .map(|it| match it {
            "{parent}" => "of".to_owned(),
            "{id}" => "by_id".to_owned(),
            word => word.replace('-', "_"),
        })
        .collect();
    format!("{}_{}", method.to_lowercase(), words.join("_"))
}

fn summary(method: &str, about: &About) -> String {
    let name = about.name;
    match (method, &about.kind) {
        ("GET", Kind::Collection(_) | Kind::Revealing(..)) => format!("List: {name}"),
        ("POST", Kind::Collection(_) | Kind::Revealing(..)) => format!("Make: {name}"),
        ("GET", Kind::Lines) => format!("Read: {name}"),
        ("GET", Kind::Socket) => format!("Open a WebSocket: {name}"),
        ("GET", Kind::File(_)) => format!("Download: {name}"),
        ("POST", Kind::File(_)) => format!("Download with the cluster's keys in it: {name}"),
        ("PATCH", _) => format!("Change: {name}"),
        ("DELETE", _) => format!("Delete: {name}"),
        ("POST", _) => format!("Do, and answer with: {name}"),
        _ => format!("Show: {name}"),
    }
}

fn reference(kind: &str, name: &str) -> Out {
    Out::object([("$ref", format!("#/components/{kind}/{name}").into())])
}

fn id_parameter(endpoint: Endpoint, name: &'static str) -> Out {
    let schema = if endpoint == Endpoint::Node {
        Out::object([("type", "integer".into()), ("minimum", 1_u8.into())])
    } else {
        Out::object([("type", "string".into()), ("format", "uuid".into())])
    };
    Out::object([
        ("name", name.into()),
        ("in", "path".into()),
        ("required", true.into()),
        ("schema", schema),
    ])
}

fn parameters(path: &Path, method: &str, about: &About) -> Vec<Out> {
    let parameter = |name: &str| reference("parameters", name);
    let is_list = is_list(about);
    let mut all = Vec::new();
    match method {
        "GET" if path.access != Access::Open => {
            if is_list {
                all.extend(["page", "ordering"].map(parameter));
            }
            let filed = ["Services", "Workers", "Configs", "Secrets", "Domains", "Routes"];
            if is_list && filed.contains(&about.tag) && !path.pattern.contains('{') {
                all.push(parameter("project"));
            }
            if path.endpoint == Endpoint::Events {
                all.extend(["kind", "object", "after", "follow", "lastEventId"].map(parameter));
            }
            if matches!(about.kind, Kind::Lines) {
                all.push(parameter("follow"));
                all.extend(streams::PARAMETERS.map(parameter));
            }
            if matches!(about.kind, Kind::Socket) {
                all.extend(streams::EXEC_PARAMETERS.map(parameter));
            }
            all.push(parameter("consistency"));
        }
        "PATCH" | "DELETE" => all.push(parameter("ifMatch")),
        _ => {}
    }
    if takes_key(path, method, about) {
        all.push(parameter("idempotencyKey"));
    }
    all
}

fn is_list(about: &About) -> bool {
    matches!(about.kind, Kind::Collection(_) | Kind::Revealing(..))
}

/// Whether it takes effect once under an `Idempotency-Key`, and so refuses one that was used for something else.
fn takes_key(path: &Path, method: &str, about: &About) -> bool {
    match method {
        "POST" => is_list(about) || BEGINS.contains(&path.endpoint),
        "PATCH" | "DELETE" => true,
        _ => false,
    }
}

fn request_body(path: &Path, method: &str, about: &About) -> Option<Out> {
    let name = match (method, &about.kind) {
        ("POST", Kind::Collection(_) | Kind::Revealing(..)) => format!("{}Create", about.name),
        ("PATCH", Kind::Object(_)) => format!("{}Update", about.name),
        ("POST", Kind::Action(..) | Kind::File(_)) => format!("{:?}Request", path.endpoint),
        _ => return None,
    };
    let content = json_content(reference("schemas", &name));
    Some(Out::object([("content", content)]))
}

fn json_content(schema: Out) -> Out {
    Out::object([("application/json", Out::object([("schema", schema)]))])
}

fn answer(text: &str, content: Option<Out>) -> Out {
    let mut members: Members = vec![("description".into(), text.into())];
    members.extend(content.map(|it| ("content".into(), it)));
    Out::Object(members)
}

fn responses(path: &Path, method: &str, about: &About) -> Out {
    let (status, answered) = success(path, method, about);
    let mut all: Members = vec![(status.to_string().into(), answered)];
    let mut add = |status: &'static str| all.push((status.into(), reference("responses", &format!("Status{status}"))));
    let writes = method != "GET";
    let open = path.access == Access::Open;
    let reads_body = matches!(method, "POST" | "PATCH") && !matches!(about.kind, Kind::Silent);
    if reads_body || about.tag != "About" && (writes || path.pattern.ends_with("s/")) {
        add("400");
    }
    if !open {
        add("401");
        add("403");
    }
    if about.tag != "About" {
        add("404");
        add("406");
    } else {
        add("404");
    }
    if reads_body {
        ["408", "413", "415"].into_iter().for_each(&mut add);
    }
    let meets_others = matches!(
        path.endpoint,
        Endpoint::KeyringRotate | Endpoint::ClusterAuthorityRotate | Endpoint::ClusterLeader
    );
    if meets_others || matches!(about.kind, Kind::Socket) {
        add("409");
    }
    if matches!(about.kind, Kind::Socket) {
        add("400");
        add("426");
    }
    if matches!(method, "PATCH" | "DELETE") {
        add("412");
    }
    if takes_key(path, method, about) {
        add("422");
    }
    if writes || path.endpoint == Endpoint::SecretItem {
        add("429");
    }
    if about.tag != "About" {
        add("503");
    }
    Out::Object(all)
}

fn success(path: &Path, method: &str, about: &About) -> (u16, Out) {
    let one = || Some(json_content(reference("schemas", about.name)));
    match (method, &about.kind) {
        ("DELETE", _) | (_, Kind::Silent) => (204, answer("Done.", None)),
        ("GET", Kind::Collection(_) | Kind::Revealing(..)) => {
            let mut content = json_content(reference("schemas", &format!("{}List", about.name)));
            if let (Out::Object(members), Endpoint::Events) = (&mut content, path.endpoint) {
                let text = Out::object([("schema", Out::object([("type", "string".into())]))]);
                members.push(("text/event-stream".into(), text));
            }
            (200, answer("A page.", Some(content)))
        }
        ("POST", Kind::Collection(_)) => (201, answer("It was made.", one())),
        ("POST", Kind::Revealing(..)) => {
            let made = json_content(reference("schemas", &format!("{}Made", about.name)));
            (201, answer("It was made.", Some(made)))
        }
        ("POST", Kind::Action(_, status)) => (*status, answer("It was done.", one())),
        (_, Kind::Socket) => (101, answer("A WebSocket of binary messages; see the guide.", None)),
        (_, Kind::Lines) => (200, answer("The lines, as they come.", Some(streams::lines()))),
        (_, Kind::File(_)) => {
            let bytes = Out::object([("schema", Out::object([("type", "string".into())]))]);
            let content = Out::object([("application/octet-stream", bytes)]);
            (200, answer("The file.", Some(content)))
        }
        (_, Kind::Document(media_type)) => {
            let schema = match *media_type {
                "application/json" => Out::object([("type", "object".into())]),
                _ => Out::object([("type", "string".into())]),
            };
            let content = Out::Object(vec![((*media_type).into(), Out::object([("schema", schema)]))]);
            (200, answer("This document.", Some(content)))
        }
        _ => (200, answer("As it is now.", one())),
    }
}
