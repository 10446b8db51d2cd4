//! `goblins exec`

mod socket;
mod terminal;

use std::io::IsTerminal;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio_tungstenite::tungstenite::Message;

use crate::command::{Connection, client};
use crate::workload;
use terminal::Raw;

/// How this process ends when what became of the command is not known, or it was not run at all; as other tools do.
const FAILED: u8 = 125;
const PIECE: usize = 16 * 1024;
/// The first byte of a message says what the rest is; see docs/api.md.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const END: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// Flags of `goblins exec`.
#[derive(Clone, Debug, Args)]
pub struct ExecArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker
    pub(crate) service: String,
    /// Beside this replica: its id, or the end of it [default: the oldest one that is ready]
    #[arg(long, value_name = "ID")]
    pub(crate) replica: Option<String>,
    /// Pass standard input on
    #[arg(long, short)]
    pub(crate) interactive: bool,
    /// On a terminal
    #[arg(long, short)]
    pub(crate) tty: bool,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Answers how the process is to end: as the command did.
pub(crate) async fn run(args: ExecArgs) -> Result<u8> {
    match attempt(args).await {
        Ok(code) => Ok(code),
        Err(error) => {
            eprintln!("goblins: {error:#}");
            Ok(error.downcast_ref::<NotStarted>().map_or(FAILED, |it| it.0))
        }
    }
}

/// The command could not be started; what a shell would end with.
#[derive(Debug)]
struct NotStarted(u8);

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the command was not run")
    }
}

impl std::error::Error for NotStarted {}

async fn attempt(args: ExecArgs) -> Result<u8> {
    if args.tty && args.interactive && !std::io::stdin().is_terminal() {
        bail!("-t with -i needs a terminal as standard input; leave -t out to pipe something in");
    }
    let client = client(args.connection.clone())?;
    let workload = workload::find(&client, &args.service).await?;
    let path = format!("{}exec/?{}", workload.path(), query(&args, terminal::size()));
    let socket = socket::open(&client, &path).await?;
    let (mut out, mut from) = socket.split();
    let _raw = if args.tty && args.interactive {
        Raw::enter()?
    } else {
        None
    };
    let mut resized = signal(SignalKind::window_change()).context("cannot listen for signals")?;
    let (mut stdin, mut stdout, mut stderr) = (tokio::io::stdin(), tokio::io::stdout(), tokio::io::stderr());
    let mut piece = vec![0; PIECE];
    let mut reads = args.interactive;
    loop {
        tokio::select! {
            message = from.next() => {
                let message = message.context("the node has ended the connection; whether the command ended is not known")?;
                match message.context("the connection broke off; whether the command ended is not known")? {
                    Message::Binary(bytes) => match bytes.first() {
                        Some(&STDOUT) => write(&mut stdout, &bytes[1..]).await?,
                        Some(&STDERR) => write(&mut stderr, &bytes[1..]).await?,
                        Some(&END) => return ended(&bytes[1..]),
                        _ => {}
                    },
                    Message::Close(Some(frame)) => bail!("the node has ended the connection: {}", frame.reason),
                    _ => {}
                }
            }
            count = stdin.read(&mut piece), if reads => {
                let count = count.context("cannot read standard input")?;
                let message = if count == 0 {
                    reads = false;
                    vec![CLOSE, STDIN]
                } else {
                    framed(STDIN, &piece[..count])
                };
                out.send(Message::Binary(message.into())).await.context("the connection broke off")?;
            }
            _ = resized.recv(), if args.tty => {
                if let Some((width, height)) = terminal::size() {
                    let size = json!({"width": width, "height": height}).to_string();
                    let message = framed(RESIZE, size.as_bytes());
                    out.send(Message::Binary(message.into())).await.context("the connection broke off")?;
                }
            }
        }
    }
}

async fn write(to: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) -> Result<()> {
    to.write_all(bytes).await.context("cannot print")?;
    to.flush().await.context("cannot print")
}

fn framed(channel: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(rest.len() + 1);
    message.push(channel);
    message.extend_from_slice(rest);
    message
}

/// The code in the last message.
fn ended(rest: &[u8]) -> Result<u8> {
    let said: Value = serde_json::from_slice(rest).context("the node sent something that is not JSON")?;
    match said["exit_code"].as_u64() {
        Some(code) => Ok(u8::try_from(code & 0xff).unwrap_or(FAILED)),
        None => bail!(
            "whether the command ended is not known: {}",
            said["error"].as_str().unwrap_or("its host has gone")
        ),
    }
}

fn query(args: &ExecArgs, size: Option<(u16, u16)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for word in &args.command {
        query.append_pair("command", word);
    }
    if let Some(replica) = &args.replica {
        query.append_pair("replica", replica);
    }
    if args.interactive {
        query.append_pair("stdin", "1");
    }
    if args.tty {
        query.append_pair("tty", "1");
        if let Some((width, height)) = size {
            query.append_pair("width", &width.to_string());
            query.append_pair("height", &height.to_string());
        }
    }
    query.finish()
}

/// What a refused upgrade says.
fn refused(text: &str, said: &Value) -> anyhow::Error {
    match said["exit_code"].as_u64().and_then(|it| u8::try_from(it).ok()) {
        Some(code) => anyhow::Error::new(NotStarted(code)).context(text.to_owned()),
        None => anyhow::anyhow!("{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_word_by_word() {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: ExecArgs,
        }
        let parse = |words: &[&str]| Line::try_parse_from([&["exec", "web"][..], words].concat()).map(|it| it.args);
        let args = parse(&["-it", "--replica", "ab12", "--", "sh", "-c", "a b"]).unwrap();
        assert_eq!(
            query(&args, Some((80, 24))),
            "command=sh&command=-c&command=a+b&replica=ab12&stdin=1&tty=1&width=80&height=24"
        );
        assert!(parse(&[]).is_err(), "a command is needed");
    }

    #[test]
    fn the_code_is_that_of_the_command() {
        assert_eq!(ended(br#"{"exit_code": 3}"#).unwrap(), 3);
        assert!(
            ended(br#"{"error": "gone"}"#)
                .unwrap_err()
                .to_string()
                .ends_with("gone")
        );
        let error = refused("no such program", &json!({"exit_code": 127}));
        assert_eq!(error.downcast_ref::<NotStarted>().map(|it| it.0), Some(127));
        assert!(refused("no", &Value::Null).downcast_ref::<NotStarted>().is_none());
    }
}
