//! Whatever listens on an address, one connection a request.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::in_process::InProcess;
use crate::target::{Got, Keys, Sent, Target};

/// Nothing here takes long; a case that hangs should say so.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct OverHttp {
    host: String,
    keys: Keys,
}

impl OverHttp {
    /// The router of `target` behind a socket on loopback, for as long as the test's runtime lives.
    pub async fn of(target: &InProcess) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let host = listener.local_addr().expect("an address").to_string();
        let router = target.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            host,
            keys: target.keys().clone(),
        }
    }
}

#[async_trait]
impl Target for OverHttp {
    async fn send(&self, sent: Sent) -> Got {
        let mut request = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            sent.method, sent.target, self.host
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
            let mut stream = TcpStream::connect(&self.host).await?;
            let (mut read, mut write) = stream.split();
            let mut answer = Vec::new();
            let (written, read) = tokio::join!(write.write_all(&request), read.read_to_end(&mut answer));
            written.and(read).map(|_| answer)
        };
        let answer = tokio::time::timeout(PATIENCE, exchange)
            .await
            .expect("an answer in time")
            .expect("an answer");
        parse(&answer)
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn host(&self) -> &str {
        &self.host
    }
}

fn parse(answer: &[u8]) -> Got {
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("an end of the headers");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header");
        let name = HeaderName::try_from(name).expect("a header name");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("a header value"));
    }
    Got {
        status: StatusCode::try_from(status).expect("a status"),
        headers,
        body: answer[end + 4..].to_vec(),
    }
}
