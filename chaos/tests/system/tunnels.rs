//! Connections that change their protocol, such as WebSockets, through a rolling update.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chaos::deploys::{HOSTNAME, Stage};
use chaos::image::Variant;
use serde_json::json;

use crate::common::{PATIENCE, can_make_hosts, install_crypto};

/// How long the daemons of this test leave such a connection open.
const LIMIT: Duration = Duration::from_secs(15);

fn open(stage: &Stage, host: u8) -> TcpStream {
    let mut stream = TcpStream::connect(stage.proxy(host)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request =
        format!("GET /echo HTTP/1.1\r\nHost: {HOSTNAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream
}

/// Whether what is sent comes back.
fn echoes(stream: &mut TcpStream) -> bool {
    let mut back = [0; 4];
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut back).is_ok() && &back == b"ping"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_websocket_survives_a_rolling_update_until_its_limit() {
    if !can_make_hosts() {
        return;
    }
    install_crypto();
    let limit = LIMIT.as_secs().to_string();
    let stage = Stage::set(&["--websocket-drain", &limit]).await.unwrap();
    // Enough of them that some lead to another host.
    let mut open: Vec<_> = (1..=3)
        .flat_map(|host| [open(&stage, host), open(&stage, host)])
        .collect();
    assert!(open.iter_mut().all(echoes));
    let image = stage.image("2", &Variant::server("2")).await.unwrap();
    let began = Instant::now();
    stage.patch(1, &json!({"image": image})).await.unwrap();
    stage
        .wait("twelve new replicas serve", async || {
            let replicas = stage.replicas(2).await.map_err(|error| error.to_string())?;
            let new = replicas
                .iter()
                .filter(|it| it.state == "ready" && it.version == 2)
                .count();
            let old = replicas
                .iter()
                .filter(|it| it.state == "ready" && it.version == 1)
                .count();
            if new == 12 && old == 0 {
                Ok(())
            } else {
                Err(format!("{replicas:?}"))
            }
        })
        .await
        .unwrap();
    let updated = began.elapsed();
    assert!(updated < LIMIT, "too slow for this test to show anything: {updated:?}");
    assert!(open.iter_mut().all(echoes), "{}", stage.cluster.tails(40));
    // Each ends when the limit of its replica has passed, and not much later.
    for stream in &mut open {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "nobody sends anything");
    }
    let ended = began.elapsed();
    assert!(
        ended >= LIMIT && ended < updated + LIMIT + Duration::from_secs(5),
        "{ended:?}"
    );
    stage.wait_ready(3, 12).await.unwrap();
}
