//! How lines are written for clients.

use std::borrow::Cow;

use http::header::ACCEPT;
use model::{NodeId, State};

use crate::errors::ApiError;
use crate::output::Out;
use crate::port::{LogLine, LogPiece, LogSource};
use crate::request::Query;
use crate::router::call::Call;

/// How lines are written for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As they were printed; perhaps with their time and their replica in front.
    Text {
        /// The time.
        timestamps: bool,
        /// Node and replica.
        prefix: bool,
    },
    /// An object of JSON a line.
    Ndjson,
    /// Server-sent events that hold the same objects.
    Sse,
}

impl Format {
    /// What the client asks for: by `format`, else by what it accepts. Text, unless JSON or events are named.
    ///
    /// # Errors
    /// [`ApiError::NotAcceptable`] if it takes none of them.
    pub fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let accept = call.parts.headers.get_all(ACCEPT).iter();
        let accept: Vec<_> = accept.map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
        Self::choose(call.query, &accept.join(","))
    }

    fn choose(query: &Query, accept: &str) -> Result<Self, ApiError> {
        let flag = |name: &str| query.last(name).is_some_and(|it| !["", "0", "false"].contains(&it));
        let text = Self::Text {
            timestamps: flag("timestamps"),
            prefix: flag("prefix"),
        };
        match query.last("format") {
            Some("text") => return Ok(text),
            Some("ndjson") => return Ok(Self::Ndjson),
            Some("sse") => return Ok(Self::Sse),
            _ => {}
        }
        let types = accept
            .split(',')
            .map(|it| it.split(';').next().unwrap_or_default().trim());
        let known = types.filter_map(|it| match it.to_ascii_lowercase().as_str() {
            "text/event-stream" => Some(Self::Sse),
            "application/x-ndjson" | "application/json" | "application/jsonl" => Some(Self::Ndjson),
            "text/plain" | "text/*" | "*/*" => Some(text),
            "application/*" => Some(Self::Ndjson),
            _ => None,
        });
        match known.into_iter().next() {
            Some(format) => Ok(format),
            None if accept.is_empty() => Ok(text),
            None => Err(ApiError::NotAcceptable),
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Text { .. } => "text/plain; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Sse => "text/event-stream",
        }
    }

    pub fn keep_alive(self) -> Option<&'static [u8]> {
        match self {
            Self::Sse => Some(b": still here\n\n"),
            Self::Text { .. } | Self::Ndjson => None,
        }
    }

    pub fn bytes(self, pieces: &[LogPiece], state: &State) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in pieces {
            self.write(piece, state, &mut bytes);
        }
        bytes
    }

    fn write(self, piece: &LogPiece, state: &State, bytes: &mut Vec<u8>) {
        match (self, piece) {
            (Self::Text { .. }, LogPiece::CaughtUp) => {}
            (Self::Text { timestamps, prefix }, LogPiece::Line(line)) if line.source != LogSource::Notice => {
                if timestamps {
                    bytes.extend_from_slice(format!("{} ", moment(line.at)).as_bytes());
                }
                if prefix {
                    let id = line.replica.to_string();
                    let end = &id[id.len() - 8..];
                    bytes.extend_from_slice(format!("{}/{end} | ", name(state, line.node)).as_bytes());
                }
                bytes.extend_from_slice(&line.text);
                bytes.push(b'\n');
            }
            (Self::Text { .. }, other) => {
                let (_, text) = notice(other, state);
                bytes.extend_from_slice(format!("-- goblins: {text} --\n").as_bytes());
            }
            (Self::Ndjson, piece) => {
                bytes.extend_from_slice(json(&object(piece, state)).as_bytes());
                bytes.push(b'\n');
            }
            (Self::Sse, piece) => {
                if !matches!(piece, LogPiece::Line(_)) {
                    bytes.extend_from_slice(b"event: notice\n");
                }
                bytes.extend_from_slice(format!("data: {}\n\n", json(&object(piece, state))).as_bytes());
            }
        }
    }
}

fn object(piece: &LogPiece, state: &State) -> Out {
    match piece {
        LogPiece::Line(line) if line.source != LogSource::Notice => Out::object([
            ("time", moment(line.at).into()),
            ("node", name(state, line.node).into()),
            ("replica", line.replica.0.into()),
            ("version", line.version.into()),
            ("stream", stream(line).into()),
            ("line", text(line).into_owned().into()),
        ]),
        other => {
            let (code, said) = notice(other, state);
            let (node, replica) = match other {
                LogPiece::Line(line) => (Some(line.node), Some(line.replica)),
                LogPiece::Lost { node, replica, .. } => (Some(*node), Some(*replica)),
                LogPiece::Silent { node, .. } | LogPiece::Back { node } => (Some(*node), None),
                LogPiece::Cut | LogPiece::CaughtUp => (None, None),
            };
            Out::object([
                ("notice", code.into()),
                ("node", Out::or_null(node.map(|it| name(state, it)))),
                ("replica", replica.map_or(Out::Null, |it| it.0.into())),
                ("text", said.into()),
            ])
        }
    }
}

/// What is said of the stream itself: a code, and a sentence.
fn notice(piece: &LogPiece, state: &State) -> (&'static str, String) {
    match piece {
        LogPiece::Line(line) => {
            let said = format!(
                "replica {} on node {}: {}",
                line.replica,
                name(state, line.node),
                text(line)
            );
            ("logger", said)
        }
        LogPiece::Silent { node, why } => {
            let node = name(state, *node);
            let said = format!("node {node} does not answer ({why}); lines of its replicas are missing from here on");
            ("node_silent", said)
        }
        LogPiece::Back { node } => {
            let said = format!(
                "node {} answers again; what was missing of it follows",
                name(state, *node)
            );
            ("node_back", said)
        }
        LogPiece::Lost { node, replica, bytes } => {
            let node = name(state, *node);
            let said = format!(
                "about {bytes} bytes of replica {replica} on node {node} were removed before they could be sent here"
            );
            ("lost", said)
        }
        LogPiece::Cut => {
            let said = "the lines asked for are too large together; only the last ones follow";
            ("cut", said.to_owned())
        }
        LogPiece::CaughtUp => ("caught_up", "what follows is printed from now on".to_owned()),
    }
}

fn name(state: &State, node: NodeId) -> String {
    state.node(node).map_or_else(|| node.to_string(), |it| it.name.clone())
}

fn stream(line: &LogLine) -> &'static str {
    match line.source {
        LogSource::Stdout => "stdout",
        LogSource::Stderr => "stderr",
        LogSource::Notice => "notice",
    }
}

fn text(line: &LogLine) -> Cow<'_, str> {
    String::from_utf8_lossy(&line.text)
}

/// With nanoseconds.
fn moment(at: u64) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at)).unwrap_or_default();
    format!("{at:.9}")
}

fn json(out: &Out) -> String {
    serde_json::to_string(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use model::ReplicaId;
    use uuid::Uuid;

    use super::*;

    fn choose(query: &str, accept: &str) -> Option<&'static str> {
        let format = Format::choose(&Query::parse(Some(query)), accept).ok()?;
        Some(format.media_type().split(';').next().unwrap_or_default())
    }

    #[test]
    fn a_format_is_named_or_accepted() {
        for (query, accept, expected) in [
            ("", "", Some("text/plain")),
            ("", "*/*", Some("text/plain")),
            ("", "application/json", Some("application/x-ndjson")),
            ("", "text/html, text/event-stream;q=0.9", Some("text/event-stream")),
            ("format=sse", "text/plain", Some("text/event-stream")),
            ("format=ndjson", "", Some("application/x-ndjson")),
            ("", "image/png", None),
        ] {
            assert_eq!(choose(query, accept), expected, "{query} {accept}");
        }
    }

    fn written(format: Format) -> String {
        let replica = ReplicaId(Uuid::from_u128(0x1234_5678_9abc));
        let line = LogLine {
            replica,
            version: 2,
            node: NodeId(7),
            at: 1_767_225_600_000_000_001,
            source: LogSource::Stderr,
            text: "a \"b\"".into(),
        };
        let why = "it is off".to_owned();
        let silent = LogPiece::Silent { node: NodeId(8), why };
        let bytes = format.bytes(&[LogPiece::Line(line), silent, LogPiece::CaughtUp], &State::default());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_is_what_was_printed_and_says_what_is_missing() {
        let (timestamps, prefix) = (false, false);
        let silent =
            "-- goblins: node 8 does not answer (it is off); lines of its replicas are missing from here on --\n";
        let plain = written(Format::Text { timestamps, prefix });
        assert_eq!(plain, format!("a \"b\"\n{silent}"));
        let (timestamps, prefix) = (true, true);
        let full = written(Format::Text { timestamps, prefix });
        assert_eq!(
            full,
            format!("2026-01-01T00:00:00.000000001Z 7/56789abc | a \"b\"\n{silent}")
        );
    }

    #[test]
    fn json_and_events_hold_the_same() {
        let lines = written(Format::Ndjson);
        let objects: Vec<serde_json::Value> = lines.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        assert_eq!(objects[0]["line"], "a \"b\"");
        assert_eq!(objects[0]["stream"], "stderr");
        assert_eq!(objects[0]["time"], "2026-01-01T00:00:00.000000001Z");
        assert_eq!(
            (&objects[1]["notice"], &objects[1]["node"]),
            (&"node_silent".into(), &"8".into())
        );
        assert_eq!(objects[2]["notice"], "caught_up");
        let events = written(Format::Sse);
        let first = lines.lines().next().unwrap();
        assert!(
            events.starts_with(&format!("data: {first}\n\nevent: notice\ndata: ")),
            "{events}"
        );
    }
}
