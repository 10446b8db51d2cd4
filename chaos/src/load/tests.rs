use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

/// Answers as the test server does, and does something else with the requests whose number is in `bad`.
fn fake_server(bad: fn(u32) -> &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&stream, bad));
        }
    });
    addr
}

fn serve(stream: &TcpStream, bad: fn(u32) -> &'static str) -> Option<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let number = path.rsplit('/').next()?.parse().ok()?;
        let post = line.starts_with("POST");
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line).ok()?;
        }
        if post {
            std::io::Read::read_exact(&mut reader, &mut [0; 4]).ok()?;
        }
        let body = format!("{{\"path\":\"{path}\"}}");
        let length = body.len();
        match bad(number) {
            "closes" => return None,
            "breaks off" => return write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{body}").ok(),
            "refuses" => write!(
                writer,
                "HTTP/1.1 503 X\r\nGoblins-Reason: why\r\nContent-Length: 0\r\n\r\n"
            )
            .ok()?,
            "lies" => write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?,
            "says it closes" => {
                let close = "Connection: close\r\n";
                return write!(
                    writer,
                    "HTTP/1.1 200 OK\r\n{close}Content-Length: {length}\r\n\r\n{body}"
                )
                .ok();
            }
            _ => write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").ok()?,
        }
    }
}

async fn load(bad: fn(u32) -> &'static str, requests: usize) -> Report {
    let aim = Aim {
        proxies: vec![(1, fake_server(bad)), (2, fake_server(bad))],
        hostname: "web.test".to_owned(),
        rate: 1000,
        post_every: 10,
    };
    let load = Load::start(aim);
    while load.elapsed() < Duration::from_millis(requests as u64) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    load.finish().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_good_and_says_when_it_closes_fails_nothing() {
    let report = load(|n| if n.is_multiple_of(7) { "says it closes" } else { "" }, 400).await;
    assert!(report.sent() >= 350, "{report}");
    assert_eq!(report.failures, [], "{report}");
    assert!(report.good.iter().any(|it| it.host == 1) && report.good.iter().any(|it| it.host == 2));
    assert!(report.longest_gap(1) < report.lasted);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_failure_is_told_with_its_request() {
    let bad = |n| match n {
        50 => "closes",
        61 => "breaks off",
        72 => "refuses",
        83 => "lies",
        _ => "",
    };
    let mut failures = load(bad, 200).await.failures;
    failures.sort_by_key(|it| it.number);
    let numbers: Vec<_> = failures.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [50, 61, 72, 83]);
    assert_eq!(failures[0].method, Method::Post);
    assert!(matches!(failures[0].trouble, Trouble::NoAnswer(_)), "{}", failures[0]);
    assert!(matches!(failures[1].trouble, Trouble::BrokenOff(_)), "{}", failures[1]);
    let (status, reason) = (503, "why".to_owned());
    assert_eq!(failures[2].trouble, Trouble::Status { status, reason });
    assert!(matches!(failures[3].trouble, Trouble::Wrong(_)), "{}", failures[3]);
}
