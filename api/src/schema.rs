//! `/api/schema/`: the API in OpenAPI 3.1, from the very tables that route, check and show. What is not in them is not
//! in the document, and the other way round.

mod components;
mod endpoints;
mod operations;
mod short;
mod streams;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::StatusCode;

use self::components::Table;
use self::endpoints::{Kind, about};
use crate::answer::Answer;
use crate::output::Out;
use crate::router::paths::PATHS;

static DOCUMENT: LazyLock<Out> = LazyLock::new(document);

/// The document.
pub fn answer() -> Answer {
    Answer::json(StatusCode::OK, DOCUMENT.clone())
}

/// The document, for whoever renders it.
pub fn get() -> &'static Out {
    &DOCUMENT
}

fn document() -> Out {
    let paths = PATHS
        .iter()
        .map(|path| (path.pattern.into(), operations::path_item(path)));
    Out::object([
        ("openapi", "3.1.0".into()),
        (
            "info",
            Out::object([
                ("title", "Goblins".into()),
                ("version", env!("CARGO_PKG_VERSION").into()),
                (
                    "description",
                    "Runs containers on your own machines. Any node answers any request.".into(),
                ),
            ]),
        ),
        ("paths", Out::Object(paths.collect())),
        (
            "components",
            Out::object([
                ("schemas", schemas()),
                ("parameters", all_parameters()),
                ("responses", responses()),
                ("securitySchemes", security_schemes()),
            ]),
        ),
        (
            "security",
            Out::List(
                ["bearer", "apiKey", "session"]
                    .into_iter()
                    .map(|it| Out::object([(it, Out::List(Vec::new()))]))
                    .collect(),
            ),
        ),
    ])
}

fn schemas() -> Out {
    let mut all: BTreeMap<String, Out> = BTreeMap::new();
    for path in PATHS {
        let it = about(path.endpoint);
        let name = it.name;
        match it.kind {
            Kind::Collection(table) => collection(&mut all, name, &table, path.methods),
            Kind::Revealing(table, field, doc) => {
                all.insert(format!("{name}Made"), table.revealed(field, doc));
                collection(&mut all, name, &table, path.methods);
            }
            Kind::Object(table) => {
                all.insert(name.to_owned(), table.answered());
                if path.methods.contains(&"PATCH") {
                    all.insert(format!("{name}Update"), table.patched());
                }
            }
            Kind::Single(table) => drop(all.insert(name.to_owned(), table.answered())),
            Kind::Action(table, _) | Kind::File(table) => {
                drop(all.insert(format!("{:?}Request", path.endpoint), table.sent()))
            }
            Kind::Silent | Kind::Lines | Kind::Socket | Kind::Document(_) => {}
        }
    }
    let text = || Out::object([("type", "string".into())]);
    let texts = Out::object([("type", "array".into()), ("items", text())]);
    let detail = Out::object([
        ("type", "object".into()),
        ("properties", Out::object([("detail", text()), ("code", text())])),
        ("required", ["detail"].into_iter().collect()),
    ]);
    let fields = Out::object([("type", "object".into()), ("additionalProperties", texts)]);
    all.insert("Detail".to_owned(), detail);
    all.insert("FieldErrors".to_owned(), fields);
    Out::Object(all.into_iter().map(|(name, schema)| (name.into(), schema)).collect())
}

fn collection(all: &mut BTreeMap<String, Out>, name: &str, table: &Table, methods: &[&str]) {
    all.insert(name.to_owned(), table.answered());
    if methods.contains(&"POST") {
        all.insert(format!("{name}Create"), table.sent());
    }
    let one = Out::object([("$ref", format!("#/components/schemas/{name}").into())]);
    let link = || {
        Out::object([
            ("type", ["string", "null"].into_iter().collect()),
            ("format", "uri".into()),
        ])
    };
    let list = Out::object([
        ("type", "object".into()),
        (
            "properties",
            Out::object([
                (
                    "count",
                    Out::object([("type", "integer".into()), ("minimum", 0_u8.into())]),
                ),
                ("next", link()),
                ("previous", link()),
                ("results", Out::object([("type", "array".into()), ("items", one)])),
            ]),
        ),
        (
            "required",
            ["count", "next", "previous", "results"].into_iter().collect(),
        ),
    ]);
    all.insert(format!("{name}List"), list);
}

fn all_parameters() -> Out {
    let mut all = parameters();
    if let Out::Object(members) = &mut all {
        members.extend(streams::parameters());
    }
    all
}

fn parameters() -> Out {
    let one = |name: &str, place: &str, schema: Out, doc: &str| {
        Out::object([
            ("name", name.into()),
            ("in", place.into()),
            ("schema", schema),
            ("description", doc.into()),
        ])
    };
    let text = || Out::object([("type", "string".into())]);
    let words =
        |words: &[&'static str]| Out::object([("type", "string".into()), ("enum", words.iter().copied().collect())]);
    let id = || Out::object([("type", "string".into()), ("format", "uuid".into())]);
    Out::object([
        ("page", one("page", "query", text(), "From 1, or `last`; 20 a page.")),
        (
            "ordering",
            one(
                "ordering",
                "query",
                text(),
                "Fields, comma-separated, `-` in front for descending.",
            ),
        ),
        ("project", one("project", "query", id(), "Only what is filed there.")),
        (
            "consistency",
            one(
                "consistency",
                "query",
                words(&["local"]),
                "`local`: this node's own copy, which may be old.",
            ),
        ),
        (
            "kind",
            one(
                "kind",
                "query",
                text(),
                "Such as `secret.accessed`, or the part before the dot.",
            ),
        ),
        ("object", one("object", "query", text(), "The id of a thing.")),
        (
            "after",
            one("after", "query", integer(), "Only what came after this event."),
        ),
        (
            "follow",
            one("follow", "query", words(&["1"]), "Stream what is still to come."),
        ),
        (
            "lastEventId",
            one("Last-Event-ID", "header", integer(), "The last event that was seen."),
        ),
        (
            "idempotencyKey",
            one(
                "Idempotency-Key",
                "header",
                key(),
                "The same key with the same request gives the first answer.",
            ),
        ),
        (
            "ifMatch",
            one("If-Match", "header", text(), "The ETag of the object as it was seen."),
        ),
    ])
}

fn integer() -> Out {
    Out::object([("type", "integer".into()), ("minimum", 0_u8.into())])
}

fn key() -> Out {
    Out::object([
        ("type", "string".into()),
        ("minLength", 1_u8.into()),
        ("maxLength", 255_u8.into()),
        ("pattern", "^[!-~]+$".into()),
    ])
}

fn responses() -> Out {
    let schema = |name: &str| Out::object([("$ref", format!("#/components/schemas/{name}").into())]);
    let answer = |text: &str, schema: Out| {
        let content = Out::object([("application/json", Out::object([("schema", schema)]))]);
        Out::object([("description", text.into()), ("content", content)])
    };
    let detail = |text: &str| answer(text, schema("Detail"));
    let either = Out::object([("anyOf", Out::List(vec![schema("Detail"), schema("FieldErrors")]))]);
    Out::object([
        (
            "Status400",
            answer("Fields, the body or a parameter are wrong.", either),
        ),
        ("Status401", detail("No credentials, or bad ones.")),
        ("Status403", detail("Not permitted.")),
        ("Status404", detail("Not there, or not yours.")),
        ("Status406", detail("Only JSON is answered.")),
        ("Status408", detail("The body did not arrive in time.")),
        ("Status409", detail("Something else is under way.")),
        ("Status412", detail("The object has changed.")),
        ("Status413", detail("The body is too large.")),
        ("Status415", detail("Only JSON is taken.")),
        ("Status426", detail("This path is for WebSockets.")),
        ("Status422", detail("The idempotency key was used for another request.")),
        ("Status429", detail("Too many requests; `Retry-After` says when.")),
        (
            "Status503",
            detail("The cluster, or this node's keyring, is not available."),
        ),
    ])
}

fn security_schemes() -> Out {
    let key =
        |place: &str, name: &str| Out::object([("type", "apiKey".into()), ("in", place.into()), ("name", name.into())]);
    Out::object([
        (
            "bearer",
            Out::object([("type", "http".into()), ("scheme", "bearer".into())]),
        ),
        ("apiKey", key("header", "X-API-Key")),
        ("session", key("cookie", crate::auth::SESSION_COOKIE)),
    ])
}

#[cfg(test)]
mod tests;
