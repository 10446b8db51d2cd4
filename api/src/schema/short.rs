//! Shapes in short, as tables write them for what is only shown: `{id: integer, name: string|null}`, `[string]`,
//! `{*: integer}` for an object with members of any name.

use crate::output::Out;

/// The JSON schema of a shape in short; `None` if it is not well-formed.
pub fn schema(text: &str) -> Option<Out> {
    let mut rest = text;
    let schema = shape(&mut rest)?;
    rest.trim().is_empty().then_some(schema)
}

fn shape(rest: &mut &str) -> Option<Out> {
    *rest = rest.trim_start();
    let (mut schema, name) = match rest.chars().next()? {
        '{' => (object(rest)?, "object"),
        '[' => (list(rest)?, "array"),
        _ => {
            let name = match word(rest) {
                "integer" | "millicores" | "bytes" => "integer",
                "string" => "string",
                "boolean" => "boolean",
                _ => return None,
            };
            (Out::object([("type", name.into())]), name)
        }
    };
    if let Some(after) = rest.trim_start().strip_prefix("|null") {
        *rest = after;
        if let Out::Object(members) = &mut schema {
            members[0].1 = [name, "null"].into_iter().collect();
        }
    }
    Some(schema)
}

fn object(rest: &mut &str) -> Option<Out> {
    *rest = rest.strip_prefix('{')?.trim_start();
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after.trim_start().strip_prefix(':')?;
        let each = shape(rest)?;
        *rest = rest.trim_start().strip_prefix('}')?;
        return Some(Out::object([("type", "object".into()), ("additionalProperties", each)]));
    }
    let (mut properties, mut required) = (Vec::new(), Vec::new());
    loop {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return Some(Out::object([
                ("type", "object".into()),
                ("properties", Out::Object(properties)),
                ("required", required.into_iter().collect::<Out>()),
            ]));
        }
        let name = word(rest).to_owned();
        *rest = rest.trim_start().strip_prefix(':')?;
        properties.push((name.clone().into(), shape(rest)?));
        required.push(name);
        *rest = rest.trim_start();
        *rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

fn list(rest: &mut &str) -> Option<Out> {
    *rest = rest.strip_prefix('[')?;
    let items = shape(rest)?;
    *rest = rest.trim_start().strip_prefix(']')?;
    Some(Out::object([("type", "array".into()), ("items", items)]))
}

fn word<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(short: &str) -> String {
        serde_json::to_string(&schema(short).expect("well-formed")).unwrap()
    }

    #[test]
    fn shapes_in_short_become_schemas() {
        assert_eq!(text("string|null"), r#"{"type":["string","null"]}"#);
        assert_eq!(text("[integer]"), r#"{"type":"array","items":{"type":"integer"}}"#);
        assert_eq!(
            text("[{id: integer, name: string|null}]|null"),
            concat!(
                r#"{"type":["array","null"],"items":{"type":"object","properties":{"id":{"type":"integer"},"#,
                r#""name":{"type":["string","null"]}},"required":["id","name"]}}"#
            )
        );
        assert_eq!(
            text("{*: integer}"),
            r#"{"type":"object","additionalProperties":{"type":"integer"}}"#
        );
        for wrong in ["", "text", "{*}", "{id integer}", "[integer", "integer x"] {
            assert!(schema(wrong).is_none(), "{wrong}");
        }
    }
}
