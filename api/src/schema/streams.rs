//! What has no end that is known: lines of logs, and commands.

use crate::output::Out;

/// The parameters that only they have, by name.
pub const PARAMETERS: [&str; 6] = ["since", "tail", "replica", "format", "timestamps", "prefix"];
/// Those of commands that run beside replicas.
pub const EXEC_PARAMETERS: [&str; 6] = ["command", "replica", "tty", "stdin", "width", "height"];

fn kind(name: &'static str) -> Out {
    Out::object([("type", name.into())])
}

fn word(text: &'static str, doc: &'static str) -> Out {
    Out::object([("type", text.into()), ("description", doc.into())])
}

/// What logs are answered with, in each of their formats.
pub fn lines() -> Out {
    let schema = |it: Out| Out::object([("schema", it)]);
    let content = vec![
        ("text/plain".into(), schema(kind("string"))),
        ("application/x-ndjson".into(), schema(line())),
        ("text/event-stream".into(), schema(kind("string"))),
    ];
    Out::Object(content)
}

/// One line, or something that is said of the stream.
fn line() -> Out {
    let maybe = |name: &'static str| {
        let kinds: Out = [name, "null"].into_iter().collect();
        Out::object([("type", kinds)])
    };
    let printed = Out::object([
        (
            "time",
            word(
                "string",
                "When it was printed, with nanoseconds, by the clock of its host.",
            ),
        ),
        ("node", word("string", "The name of that host.")),
        ("replica", word("string", "The replica's id.")),
        (
            "version",
            word("integer", "The version of its deployment; 0 if that is not known."),
        ),
        ("stream", word("string", "`stdout` or `stderr`.")),
        ("line", word("string", "The text.")),
    ]);
    let codes = ["node_silent", "node_back", "lost", "cut", "logger", "caught_up"];
    let said = Out::object([
        (
            "notice",
            Out::object([("type", "string".into()), ("enum", codes.into_iter().collect())]),
        ),
        ("node", maybe("string")),
        ("replica", maybe("string")),
        ("text", word("string", "A sentence.")),
    ]);
    let object = |properties: Out| Out::object([("type", "object".into()), ("properties", properties)]);
    Out::object([("anyOf", Out::List(vec![object(printed), object(said)]))])
}

/// The parameters, as components.
pub fn parameters() -> Vec<(std::borrow::Cow<'static, str>, Out)> {
    let one = |name: &'static str, schema: Out, doc: &'static str| {
        let members = [
            ("name", name.into()),
            ("in", "query".into()),
            ("schema", schema),
            ("description", doc.into()),
        ];
        (name.into(), Out::object(members))
    };
    let words =
        |words: &[&'static str]| Out::object([("type", "string".into()), ("enum", words.iter().copied().collect())]);
    let since = "Only what was printed after that: how long ago, such as 10m, or a moment in ISO 8601.";
    vec![
        one("since", kind("string"), since),
        one(
            "tail",
            kind("string"),
            "At most so many of the last lines, of all replicas together; or `all`.",
        ),
        one(
            "replica",
            kind("string"),
            "Only this replica: its id, or the end of it.",
        ),
        one(
            "format",
            words(&["text", "ndjson", "sse"]),
            "Instead of what `Accept` says.",
        ),
        one(
            "timestamps",
            words(&["1"]),
            "With the time in front of each line of text.",
        ),
        one("command", kind("string"), "A word of the command; once for each."),
        one("tty", words(&["1"]), "On a terminal."),
        one("stdin", words(&["1"]), "Give it input; without this it reads nothing."),
        one(
            "width",
            kind("integer"),
            "Columns of the terminal; 80 where nothing is said.",
        ),
        one("height", kind("integer"), "Its rows; 24 where nothing is said."),
        one(
            "prefix",
            words(&["1"]),
            "With node and replica in front of each line of text.",
        ),
    ]
}
