//! Changing the table while requests come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::FakeBackend;
use crate::client::Client;
use crate::{local, proxy, table};

#[test]
fn new_tables_cost_no_request() {
    let (a, b) = (FakeBackend::echo("a"), FakeBackend::echo("b"));
    let (proxy, addr) = proxy(table(1, &[("/", &[local(a.addr)])]));
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(addr);
                let mut sent = 0;
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(client.get("/").status, 200);
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    for revision in 2..500 {
        let target = if revision % 2 == 0 { b.addr } else { a.addr };
        proxy.publish(table(revision, &[("/", &[local(target)])]));
        std::thread::yield_now();
    }
    while a.requests() == 0 || b.requests() == 0 {
        let (revision, target) = if b.requests() == 0 {
            (1000, b.addr)
        } else {
            (1001, a.addr)
        };
        proxy.publish(table(revision, &[("/", &[local(target)])]));
        std::thread::yield_now();
    }
    stop.store(true, Ordering::SeqCst);
    let sent: usize = clients
        .into_iter()
        .map(|it| it.join().expect("no request failed"))
        .sum();
    assert!(sent > 0);
}

#[test]
fn an_older_table_is_not_taken() {
    let (old, new) = (FakeBackend::echo("old"), FakeBackend::echo("new"));
    let (proxy, addr) = proxy(table(5, &[("/", &[local(new.addr)])]));
    proxy.publish(table(4, &[("/", &[local(old.addr)])]));
    assert!(Client::connect(addr).get("/").body.starts_with("new"));
}
