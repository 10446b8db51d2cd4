//! One connection of a client, with as much of HTTP/1.1 as it needs to know exactly what went wrong.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::Method;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Trouble {
    /// Nobody listened.
    #[error("the connection was refused")]
    Refused,
    /// The connection could not be opened otherwise.
    #[error("no connection: {0}")]
    NotConnected(String),
    /// It ended before a byte of the answer.
    #[error("the connection ended without an answer: {0}")]
    NoAnswer(String),
    /// It ended within the answer.
    #[error("the answer broke off: {0}")]
    BrokenOff(String),
    /// An answer that is no success.
    #[error("{status} {reason}")]
    Status {
        /// The code.
        status: u16,
        /// What the proxy gave as its reason, if it was the proxy's own answer.
        reason: String,
    },
    /// An answer to something else.
    #[error("the answer is not one to this request: {0}")]
    Wrong(String),
    /// No answer in time.
    #[error("no answer in time")]
    Late,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) async fn open(addr: SocketAddr) -> Result<Self, Trouble> {
        let stream = TcpStream::connect(addr).await.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Trouble::Refused,
            _ => Trouble::NotConnected(error.to_string()),
        })?;
        // One that is gone already fails at once.
        let _ = stream.set_nodelay(true);
        Ok(Self(BufReader::new(stream)))
    }

    /// Whether the other side has not closed it, as every client that keeps connections looks before it sends.
    pub(super) fn is_open(&self) -> bool {
        let read = self.0.get_ref().try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Asks, and reads the whole answer, which has to come from the test server. True if it is to be closed now.
    pub(super) async fn ask(&mut self, method: Method, host: &str, path: &str) -> Result<bool, Trouble> {
        let (word, body) = match method {
            Method::Get => ("GET", ""),
            Method::Post => ("POST", "Content-Length: 4\r\n\r\nbody"),
        };
        let end = if body.is_empty() { "\r\n" } else { body };
        let request = format!("{word} {path} HTTP/1.1\r\nHost: {host}\r\n{end}");
        let sent = self.0.write_all(request.as_bytes()).await;
        sent.map_err(|error| Trouble::NoAnswer(error.to_string()))?;
        let head = self.head().await?;
        let mut body = vec![0; head.length];
        let read = self.0.read_exact(&mut body).await;
        read.map_err(|error| Trouble::BrokenOff(error.to_string()))?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if !(200..300).contains(&head.status) {
            let (status, reason) = (head.status, if head.reason.is_empty() { body } else { head.reason });
            return Err(Trouble::Status { status, reason });
        }
        if !body.contains(&format!("\"path\":\"{path}\"")) {
            return Err(Trouble::Wrong(body));
        }
        Ok(head.closes)
    }

    async fn head(&mut self) -> Result<Head, Trouble> {
        let first = match self.line().await {
            Ok(line) if line.is_empty() => return Err(Trouble::NoAnswer("closed".to_owned())),
            Ok(line) => line,
            Err(error) => return Err(Trouble::NoAnswer(error.to_string())),
        };
        let status = first.split(' ').nth(1).and_then(|it| it.parse().ok());
        let mut head = Head {
            status: status.ok_or_else(|| Trouble::Wrong(first.clone()))?,
            ..Head::default()
        };
        loop {
            let line = self
                .line()
                .await
                .map_err(|error| Trouble::BrokenOff(error.to_string()))?;
            if line.is_empty() {
                return Err(Trouble::BrokenOff("closed within its head".to_owned()));
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return Ok(head);
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.parse().unwrap_or_default(),
                "connection" => head.closes = value.eq_ignore_ascii_case("close"),
                "goblins-reason" => value.clone_into(&mut head.reason),
                _ => {}
            }
        }
    }

    /// With its end; empty when the connection has ended.
    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        Ok(line)
    }
}

#[derive(Debug, Default)]
struct Head {
    status: u16,
    length: usize,
    closes: bool,
    reason: String,
}
