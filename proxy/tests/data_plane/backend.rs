//! Backends: plain threads with sockets, which do just what a test needs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A backend and what it has seen.
pub struct FakeBackend {
    pub addr: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    pub requests: Arc<AtomicUsize>,
}

/// A request as a backend reads it.
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
    pub stream: TcpStream,
}

impl FakeBackend {
    /// Answers every request with its name and what it was asked, over kept connections.
    pub fn echo(name: &'static str) -> Self {
        Self::start(move |seen| {
            let line = seen.head.lines().next().unwrap_or_default().to_owned();
            reply(&mut seen.stream, &format!("{name} {line} {}", seen.body.len()))
        })
    }

    /// Calls `answer` for each request; the connection is kept while it says so.
    pub fn start(answer: impl Fn(&mut Seen) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("bound");
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, asked, answer) = (connections.clone(), requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let (asked, answer) = (asked.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut rest = Vec::new();
                    while let Some(mut seen) = read_request(&stream, &mut rest) {
                        asked.fetch_add(1, Ordering::SeqCst);
                        if !answer(&mut seen) {
                            break;
                        }
                    }
                });
            }
        });
        Self {
            addr,
            connections,
            requests,
        }
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A whole answer; keeps the connection.
pub fn reply(stream: &mut TcpStream, text: &str) -> bool {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
    stream.write_all(format!("{head}{text}").as_bytes()).is_ok()
}

/// Reads a request with a length or chunks. `None` when the connection has ended.
pub fn read_request(stream: &TcpStream, rest: &mut Vec<u8>) -> Option<Seen> {
    let mut stream = stream.try_clone().ok()?;
    let end = loop {
        if let Some(at) = rest.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(&mut stream, rest)?;
    };
    let head = String::from_utf8_lossy(&rest[..end]).into_owned();
    rest.drain(..end);
    let lower = head.to_lowercase();
    let body = if lower.contains("transfer-encoding: chunked") {
        while !rest.windows(5).any(|it| it == b"0\r\n\r\n") {
            read_more(&mut stream, rest)?;
        }
        std::mem::take(rest)
    } else {
        let length = lower
            .split("content-length: ")
            .nth(1)
            .and_then(|it| it.split("\r\n").next()?.parse().ok());
        let length: usize = length.unwrap_or(0);
        while rest.len() < length {
            read_more(&mut stream, rest)?;
        }
        rest.drain(..length).collect()
    };
    Some(Seen { head, body, stream })
}

fn read_more(stream: &mut TcpStream, into: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 65536];
    let read = stream.read(&mut part).ok().filter(|it| *it > 0)?;
    into.extend_from_slice(&part[..read]);
    Some(())
}
