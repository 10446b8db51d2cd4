//! `/api/docs/`: the schema as a page for people. Everything is in the page; nothing is loaded from elsewhere.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::answer::Answer;
use crate::output::Out;
use crate::schema;

static PAGE: LazyLock<String> = LazyLock::new(|| render(schema::get()));

const STYLE: &str = include_str!("docs/style.css");

/// The page.
pub fn answer() -> Answer {
    Answer::text("text/html; charset=utf-8", PAGE.clone())
}

fn render(document: &Out) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Goblins: the REST API</title><style>{STYLE}</style></head><body>"
    );
    // A string takes whatever is written to it.
    let _ = body(&mut page, document);
    page.push_str("</body></html>");
    page
}

fn body(page: &mut String, document: &Out) -> std::fmt::Result {
    writeln!(
        page,
        "<header><h1>Goblins: the REST API</h1><p>Any node answers. Send a key as <code>Authorization: Bearer \
         gob_...</code> or <code>X-API-Key</code>. Lists are pages of 20. The same as \
         <a href=\"/api/schema/\">OpenAPI</a>.</p></header><main>"
    )?;
    let mut tags: Vec<&str> = Vec::new();
    for (_, item) in members(get(document, "paths")) {
        for (_, operation) in methods(item) {
            let tag = tag(operation);
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
    for tag in tags {
        writeln!(page, "<section><h2>{}</h2>", escape(tag))?;
        for (path, item) in members(get(document, "paths")) {
            for (method, operation) in methods(item).filter(|(_, it)| self::tag(it) == tag) {
                operation_block(page, document, path, method, operation)?;
            }
        }
        writeln!(page, "</section>")?;
    }
    writeln!(page, "</main>")
}

fn operation_block(page: &mut String, document: &Out, path: &str, method: &str, operation: &Out) -> std::fmt::Result {
    let upper = method.to_uppercase();
    writeln!(
        page,
        "<details><summary><b class=\"{method}\">{upper}</b> <code>{}</code> <span>{}</span></summary>",
        escape(path),
        escape(text(get(operation, "summary")))
    )?;
    let data = if ["post", "patch"].contains(&method) {
        " -d \u{27}{...}\u{27}"
    } else {
        ""
    };
    writeln!(
        page,
        "<pre>curl -X {upper} -H \"Authorization: Bearer $KEY\" -H \u{27}Content-Type: application/json\u{27}{data} \
         http://NODE{}</pre>",
        escape(path)
    )?;
    let parameters = items(get(operation, "parameters")).map(|it| resolve(document, it));
    table(
        page,
        "Parameters",
        parameters.map(|it| (text(get(it, "name")), get(it, "schema"), text(get(it, "description")))),
    )?;
    let sent = get(
        get(get(get(operation, "requestBody"), "content"), "application/json"),
        "schema",
    );
    properties(page, "Sent", resolve(document, sent))?;
    for (status, answer) in members(get(operation, "responses")) {
        let answer = resolve(document, answer);
        writeln!(
            page,
            "<p><b>{}</b> {}</p>",
            escape(status),
            escape(text(get(answer, "description")))
        )?;
        if status.starts_with('2') {
            let schema = get(get(get(answer, "content"), "application/json"), "schema");
            let schema = resolve(document, schema);
            let one = get(get(get(schema, "properties"), "results"), "items");
            let shown = if matches!(one, Out::Null) {
                schema
            } else {
                resolve(document, one)
            };
            properties(page, "Answered", shown)?;
        }
    }
    writeln!(page, "</details>")
}

fn properties(page: &mut String, title: &str, schema: &Out) -> std::fmt::Result {
    let rows = members(get(schema, "properties"));
    table(
        page,
        title,
        rows.map(|(name, schema)| (name, schema, text(get(schema, "description")))),
    )
}

fn table<'a>(
    page: &mut String,
    title: &str,
    rows: impl Iterator<Item = (&'a str, &'a Out, &'a str)>,
) -> std::fmt::Result {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    writeln!(page, "<table><caption>{title}</caption>")?;
    for (name, schema, doc) in rows {
        let kind = kind(schema);
        writeln!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(name),
            escape(&kind),
            escape(doc)
        )?;
    }
    writeln!(page, "</table>")
}

/// Such as `string (uuid) or null`.
fn kind(schema: &Out) -> String {
    let names: Vec<_> = match get(schema, "type") {
        Out::List(names) => names.iter().map(text).collect(),
        name => vec![text(name)],
    };
    let words = items(get(schema, "enum")).filter_map(|it| match it {
        Out::Text(word) => Some(format!("{word:?}")),
        _ => None,
    });
    let words: Vec<_> = words.collect();
    let mut kind = names.join(" or ");
    match get(schema, "format") {
        Out::Text(format) => kind = format!("{kind} ({format})"),
        _ if !words.is_empty() => kind = format!("{kind}: {}", words.join(", ")),
        _ => {}
    }
    kind
}

fn tag(operation: &Out) -> &str {
    items(get(operation, "tags")).next().map(text).unwrap_or_default()
}

fn methods(item: &Out) -> impl Iterator<Item = (&str, &Out)> {
    members(item).filter(|(name, _)| *name != "parameters")
}

/// What a reference leads to, or the thing itself.
fn resolve<'a>(document: &'a Out, schema: &'a Out) -> &'a Out {
    match get(schema, "$ref") {
        Out::Text(reference) => reference
            .trim_start_matches("#/")
            .split('/')
            .fold(document, |at, name| get(at, name)),
        _ => schema,
    }
}

fn get<'a>(out: &'a Out, name: &str) -> &'a Out {
    let found = match out {
        Out::Object(members) => members.iter().find(|(key, _)| key == name),
        _ => None,
    };
    found.map_or(&Out::Null, |(_, value)| value)
}

fn members(out: &Out) -> impl Iterator<Item = (&str, &Out)> {
    let members = match out {
        Out::Object(members) => members.as_slice(),
        _ => &[],
    };
    members.iter().map(|(key, value)| (key.as_ref(), value))
}

fn items(out: &Out) -> impl Iterator<Item = &Out> {
    match out {
        Out::List(items) => items.as_slice().iter(),
        _ => [].iter(),
    }
}

fn text(out: &Out) -> &str {
    match out {
        Out::Text(text) => text,
        _ => "",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::paths::PATHS;

    #[test]
    fn the_page_shows_every_path_and_loads_nothing() {
        for path in PATHS {
            assert!(
                PAGE.contains(&format!("<code>{}</code>", path.pattern)),
                "{}",
                path.pattern
            );
        }
        for loading in ["<script", "<link", "<img", "src=", "@import", "url("] {
            assert!(!PAGE.contains(loading), "{loading}");
        }
        assert!(PAGE.contains("string (uuid) or null") || PAGE.contains("string or null (uuid)"));
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
