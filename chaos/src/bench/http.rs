//! HTTP/1.1 with as little work as it takes: the load program must not be what is measured.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is kept.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 << 10),
        })
    }

    /// Sends a request and reads its answer: the status, and the body where it is asked for.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<(u16, &[u8])> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let (status, head, body) = loop {
            if let Some(head) = find(&self.buffer, b"\r\n\r\n") {
                let (status, body) = parse(&self.buffer[..head]).ok_or_else(malformed)?;
                break (status, head + 4, body);
            }
            self.more().await?;
        };
        match body {
            Body::Length(length) => {
                while self.buffer.len() < head + length {
                    self.more().await?;
                }
            }
            // The last chunk is empty; nobody here sends trailers.
            Body::Chunks => {
                while !self.buffer.ends_with(b"0\r\n\r\n") {
                    self.more().await?;
                }
            }
        }
        Ok((status, &self.buffer[head..]))
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

enum Body {
    Length(usize),
    Chunks,
}

fn parse(head: &[u8]) -> Option<(u16, Body)> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut body = Body::Length(0);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            body = Body::Length(value.trim().parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunks;
        }
    }
    Some((status, body))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP/1.1")
}

/// A request with a body of JSON, or none.
pub(super) fn request(method: &str, path: &str, host: &str, key: Option<&str>, body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    if let Some(key) = key {
        text += &format!("authorization: Bearer {key}\r\n");
    }
    if !body.is_empty() {
        text += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body;
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Two answers on one connection, each in pieces.
    #[tokio::test]
    async fn answers_of_both_kinds_are_read_to_their_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 512];
            for answer in [
                ["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\nhel", "lo"],
                [
                    "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n",
                    "2\r\nhi\r\n",
                    "0\r\n\r\n",
                ],
            ] {
                assert!(stream.read(&mut asked).await.unwrap() > 0);
                for piece in answer {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = Connection::open(&address).await.unwrap();
        let sent = request("GET", "/", &address, Some("key"), "");
        assert_eq!(connection.exchange(&sent).await.unwrap(), (200, b"hello".as_slice()));
        let (status, body) = connection.exchange(&sent).await.unwrap();
        assert_eq!((status, body), (201, b"2\r\nhi\r\n0\r\n\r\n".as_slice()));
        assert_eq!(
            connection.exchange(&sent).await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
