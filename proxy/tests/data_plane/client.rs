//! A client that writes bytes and reads answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A kept connection to a proxy. Nothing waits longer than ten seconds.
pub struct Client(TcpStream);

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the proxy listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        Self(stream)
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: Web.Test:8080\r\n\r\n"))
    }

    pub fn post(&mut self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: web.test\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    pub fn send(&mut self, text: &str) -> Answer {
        self.write(text.as_bytes());
        self.read()
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the proxy reads");
    }

    /// The next answer, by its length.
    pub fn read(&mut self) -> Answer {
        let mut text = Vec::new();
        let end = loop {
            if let Some(at) = text.windows(4).position(|it| it == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more(&mut text);
        };
        let head = String::from_utf8_lossy(&text[..end]).into_owned();
        let lower = head.to_lowercase();
        let length = lower
            .split("content-length: ")
            .nth(1)
            .and_then(|it| it.split("\r\n").next()?.parse().ok());
        let whole = end + length.unwrap_or(0usize);
        while text.len() < whole {
            self.read_more(&mut text);
        }
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        Answer {
            status,
            head,
            body: String::from_utf8_lossy(&text[end..whole]).into_owned(),
        }
    }

    pub fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).expect("that many bytes");
        bytes
    }

    fn read_more(&mut self, into: &mut Vec<u8>) {
        let mut part = [0; 65536];
        let read = self.0.read(&mut part).expect("an answer in time");
        assert!(
            read > 0,
            "the connection ended early: {:?}",
            String::from_utf8_lossy(into)
        );
        into.extend_from_slice(&part[..read]);
    }
}
