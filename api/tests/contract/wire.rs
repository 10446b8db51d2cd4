//! One request over TCP, on a connection of its own.

use std::io;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::target::{Got, Sent};

/// Nothing here takes long; a case that hangs should say so.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends to `address` what names itself `host`. An error where no whole answer came.
pub async fn exchange(address: &str, host: &str, sent: &Sent) -> io::Result<Got> {
    let mut request = format!(
        "{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n",
        sent.method, sent.target
    );
    if !sent.body.is_empty() || sent.method == "POST" {
        request += &format!("content-length: {}\r\n", sent.body.len());
    }
    let mut request = request.into_bytes();
    for (name, value) in &sent.headers {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    request.extend(&sent.body);

    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let (mut read, mut write) = stream.split();
        let mut answer = Vec::new();
        let (written, read) = tokio::join!(write.write_all(&request), read.read_to_end(&mut answer));
        written.and(read).map(|_| answer)
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{address} did not answer in {PATIENCE:?}"),
        )
    })?;
    let got = parse(&answer?).filter(|got| sent.method == "HEAD" || is_whole(got));
    got.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short"))
}

/// Whether the body is as long as its header says.
fn is_whole(got: &Got) -> bool {
    let length = got.header("content-length").and_then(|it| it.parse::<usize>().ok());
    length.is_none_or(|length| got.body.len() >= length)
}

/// `None` where the answer is not whole.
fn parse(answer: &[u8]) -> Option<Got> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::try_from(name).ok()?;
        headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(Got {
        status: StatusCode::try_from(status).ok()?,
        headers,
        body: answer[end + 4..].to_vec(),
    })
}
