//! `goblins logs`

mod paint;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};
use clap::Args;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::client::Client;
use crate::command::{Connection, client};
use crate::table::plain;
use crate::workload;
use paint::Paint;

/// Lines are missing: a node did not answer, or something was removed before it was read.
const MISSING: u8 = 1;
/// The longest object of a stream: a line has 256 KiB at most, which is longer in JSON.
const LONGEST: usize = 4 << 20;

/// Flags of `goblins logs`.
#[derive(Clone, Debug, Args)]
pub struct LogsArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker
    pub(crate) service: String,
    /// Go on with what is printed later
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only what was printed after that: how long ago, such as 10m or 1h30m, or a moment such as 2026-01-31T23:59:59Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// At most so many of the last lines, of all replicas together [default: all]
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) tail: Option<u32>,
    /// Only this replica: its id, or the end of it
    #[arg(long, value_name = "ID")]
    pub(crate) replica: Option<String>,
    /// With the time in front of each line
    #[arg(long, short)]
    pub(crate) timestamps: bool,
    /// The lines alone, without node and replica in front
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
    /// Print an object of JSON a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Answers how the process is to end: 0 if nothing is missing.
pub(crate) async fn run(args: LogsArgs) -> Result<u8> {
    let client = client(args.connection.clone())?;
    let workload = workload::find(&client, &args.service).await?;
    let path = format!("{}logs/?{}", workload.path(), query(&args));
    let is_terminal = std::io::stdout().is_terminal();
    let paint = Paint::new(is_terminal && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()));
    let mut printer = Printer::new(args, paint);
    let mut answer = open(&client, &path).await?;
    let mut rest = Vec::new();
    loop {
        let piece = tokio::select! {
            piece = answer.chunk() => piece.context("the stream of logs broke off")?,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(piece) = piece else { break };
        rest.extend_from_slice(&piece);
        anyhow::ensure!(rest.len() < LONGEST, "the node sent something that is no line of a log");
        if !printer.lines(&mut rest)? {
            break;
        }
    }
    Ok(printer.code())
}

async fn open(client: &Client, path: &str) -> Result<Response> {
    client.open(Method::GET, path, None).await
}

fn query(args: &LogsArgs) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("format", "ndjson");
    if args.follow {
        query.append_pair("follow", "1");
    }
    let tail = args.tail.map(|it| it.to_string());
    for (name, value) in [("since", &args.since), ("tail", &tail), ("replica", &args.replica)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

struct Printer {
    args: LogsArgs,
    paint: Paint,
    /// Nodes that do not answer.
    silent: BTreeSet<String>,
    is_missing: bool,
}

impl Printer {
    fn new(args: LogsArgs, paint: Paint) -> Self {
        Self {
            args,
            paint,
            silent: BTreeSet::new(),
            is_missing: false,
        }
    }

    fn code(&self) -> u8 {
        let all_here = self.silent.is_empty() && !self.is_missing;
        if all_here { 0 } else { MISSING }
    }

    /// Prints the lines that are complete and leaves what is not. False when nobody reads any more.
    fn lines(&mut self, rest: &mut Vec<u8>) -> Result<bool> {
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(true);
        };
        let mut out = Vec::new();
        for line in rest[..end].split(|byte| *byte == b'\n').filter(|it| !it.is_empty()) {
            let object: Value = serde_json::from_slice(line).context("the node sent something that is not JSON")?;
            if self.args.json {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            if object.get("notice").is_some() {
                self.notice(&object);
            } else if !self.args.json {
                out.extend_from_slice(self.line(&object).as_bytes());
            }
        }
        rest.drain(..=end);
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(&out).and_then(|()| stdout.flush()) {
            // `| head` has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            other => other.map(|()| true).context("cannot print"),
        }
    }

    /// Goes to standard error: it is no line of the service's.
    fn notice(&mut self, object: &Value) {
        let node = plain(&object["node"]);
        let code = object["notice"].as_str().unwrap_or_default();
        match code {
            "node_silent" => drop(self.silent.insert(node)),
            // What was missing comes after all.
            "node_back" => drop(self.silent.remove(&node)),
            "caught_up" => {}
            _ => self.is_missing = true,
        }
        if code != "caught_up" {
            eprintln!("goblins: {}", plain(&object["text"]));
        }
    }

    fn line(&mut self, object: &Value) -> String {
        let text = object["line"].as_str().unwrap_or_default();
        let time = if self.args.timestamps {
            format!("{} ", plain(&object["time"]))
        } else {
            String::new()
        };
        if self.args.raw {
            return format!("{time}{text}\n");
        }
        let replica = plain(&object["replica"]);
        let end = replica.get(replica.len().saturating_sub(8)..).unwrap_or(&replica);
        let name = format!("{}/{end}", plain(&object["node"]));
        format!("{time}{} {text}\n", self.paint.name(&replica, &name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(flags: &[&str]) -> LogsArgs {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: LogsArgs,
        }
        let words = ["logs", "web"].iter().chain(flags);
        Line::try_parse_from(words)
            .unwrap_or_else(|error| panic!("{error}"))
            .args
    }

    #[test]
    fn flags_become_parameters() {
        assert_eq!(query(&args(&[])), "format=ndjson");
        let all = ["-f", "--since", "10m", "-n", "5", "--replica", "ab 12"];
        assert_eq!(
            query(&args(&all)),
            "format=ndjson&follow=1&since=10m&tail=5&replica=ab+12"
        );
    }

    #[test]
    fn a_line_names_its_replica_unless_it_is_to_be_raw() {
        let object = json!({"time": "T", "node": "a", "replica": "0123456789abcdef", "line": "hello"});
        let line = |flags: &[&str]| Printer::new(args(flags), Paint::new(false)).line(&object);
        assert_eq!(line(&[]), "a/89abcdef | hello\n");
        assert_eq!(line(&["-t"]), "T a/89abcdef | hello\n");
        assert_eq!(line(&["--raw"]), "hello\n");
    }

    #[test]
    fn what_is_missing_is_told_by_the_exit_code() {
        let mut printer = Printer::new(args(&[]), Paint::new(false));
        let said = |code: &str, node: &str| json!({"notice": code, "node": node, "text": "it is said so"});
        for (code, node, expected) in [
            ("caught_up", "a", 0),
            ("node_silent", "a", MISSING),
            ("node_silent", "b", MISSING),
            ("node_back", "a", MISSING),
            ("node_back", "b", 0),
            ("lost", "a", MISSING),
            ("node_back", "a", MISSING),
        ] {
            printer.notice(&said(code, node));
            assert_eq!(printer.code(), expected, "after {code} {node}");
        }
    }
}
