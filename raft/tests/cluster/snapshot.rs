//! A state that is larger than any connection lives.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{Actor, Command, ConfigId};
use raft::{Cluster, Start, Timing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Cast, admin, eventually, free_port, project, token};
use crate::run;

/// Bytes that a connection carries before it is cut.
const CUT_AFTER: u64 = 8 << 20;
const ITEM_BYTES: usize = 1 << 20;
const ITEMS: usize = 40;
const SNAPSHOT_AFTER: u64 = 20;

/// Passes connections on to `target`, and cuts each once it has carried so much towards it. Counts what it carried.
async fn cutter(target: SocketAddr, carried: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let front = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(pass(near, target, carried.clone()));
        }
    });
    front
}

async fn pass(near: TcpStream, target: SocketAddr, carried: Arc<AtomicU64>) {
    let Ok(far) = TcpStream::connect(target).await else {
        return;
    };
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let back = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut far_in, &mut near_out).await;
    });
    let mut buffer = vec![0; 64 << 10];
    let mut passed = 0;
    while let Ok(read @ 1..) = near_in.read(&mut buffer).await {
        passed += read as u64;
        carried.fetch_add(read as u64, Ordering::Relaxed);
        if passed > CUT_AFTER || far_out.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    // What was carried arrives; then the other end closes, and so is this one.
    let _ = far_out.shutdown().await;
    let _ = back.await;
}

/// Values that do not compress, and are not alike.
fn value(number: usize) -> String {
    let mut seed = number as u64 + 1;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + u8::try_from((seed >> 40) % 90).expect("below 90"))
    };
    (0..ITEM_BYTES).map(|_| next()).collect()
}

/// How large the newest snapshot of a node is.
fn snapshot_bytes(folder: &Path) -> u64 {
    let found = std::fs::read_dir(folder.join("snapshots")).expect("there is a folder");
    let sizes = found.map(|it| it.and_then(|it| it.metadata()).map_or(0, |it| it.len()));
    sizes.max().expect("there is a snapshot")
}

fn config(cluster: &Cluster) -> ConfigId {
    cluster.local().projects().next().expect("there is one").default_config
}

#[test]
fn a_snapshot_gets_through_connections_that_are_cut_again_and_again() {
    run(async {
        let timing = Timing {
            snapshot_after: SNAPSHOT_AFTER,
            keep_after_snapshot: 0,
            ..Timing::default()
        };
        let mut cast = Cast::new(timing);
        let one = cast.found().await;
        let account = admin(&one);
        let config = config(&one);
        for number in 0..ITEMS {
            let command = Command::CreateConfigItem {
                config,
                key: format!("k{number}"),
                value: value(number),
            };
            one.submit(Actor::Account(account), command).await.expect("it is made");
        }
        let last = one.status().last_log_index;
        for number in 0..2 * SNAPSHOT_AFTER {
            let command = project(&format!("p{number}"));
            one.submit(Actor::Account(account), command).await.expect("it is made");
        }
        eventually("all of it is in one snapshot", || one.status().purged_index >= last).await;

        let token = token(&one).await;
        let (listen, carried) = (free_port(), Arc::<AtomicU64>::default());
        let front = cutter(listen, carried.clone()).await;
        let start = Start::Join {
            addr: cast.address(0),
            token,
        };
        let two = cast
            .start_behind(start, listen, Some(front))
            .await
            .expect("it is let in");
        let items = || two.local().config_items().count();
        eventually("the whole state has arrived", || items() == ITEMS).await;
        let passed = carried.load(Ordering::Relaxed);
        let whole = snapshot_bytes(&cast.folder(0));
        println!("a snapshot of {} MiB, {} MiB carried", whole >> 20, passed >> 20);
        assert!(whole > 4 * CUT_AFTER, "no connection could have carried it");
        assert!(passed < whole / 2 * 3, "little was sent twice");
        assert_eq!(
            two.local().config_items().map(|it| it.value.len()).min(),
            Some(ITEM_BYTES)
        );
        cast.stop().await;
    });
}
