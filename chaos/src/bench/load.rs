//! So many clients that send one request after the other, for so long.

use std::future::Future;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::Instant;

use super::BenchError;
use super::figures::Figure;
use super::http::Connection;

/// What clients send: to whom, and what in their n-th request.
pub(super) struct Load {
    /// What the figure is called.
    pub what: String,
    /// `ADDRESS:PORT` of each server; client i asks number i modulo their count.
    pub servers: Vec<String>,
    /// How many clients.
    pub clients: usize,
    /// For how long, after a tenth of that to warm up.
    pub length: Duration,
    /// Makes the request of a client (by number) for its server, number n.
    #[allow(clippy::type_complexity, reason = "one closure, named by its field")]
    pub request: Box<dyn Fn(usize, &str, u64) -> Vec<u8> + Send>,
}

#[derive(Default)]
struct Tally {
    latencies: Vec<u32>,
    sent: u64,
    failed: u64,
    last: String,
}

impl Load {
    /// Runs it on a thread of its own, so that nothing else of this program takes part.
    pub async fn run(self) -> Result<Figure, BenchError> {
        let (send, receive) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let outcome = match runtime {
                Ok(runtime) => block_on_local(&runtime, self.measure()),
                Err(error) => Err(BenchError::Runtime(error)),
            };
            let _ = send.send(outcome);
        });
        receive.await.unwrap_or(Err(BenchError::NoWrite))
    }

    async fn measure(self) -> Result<Figure, BenchError> {
        let warm = Instant::now() + self.length / 10;
        let end = warm + self.length;
        let load = Rc::new(self);
        let tasks = (0..load.clients).map(|client| {
            let load = Rc::clone(&load);
            tokio::task::spawn_local(async move { load.client(client, warm, end).await })
        });
        let mut all = Tally::default();
        for task in tasks.collect::<Vec<_>>() {
            let Ok(tally) = task.await else { continue };
            all.latencies.extend(tally.latencies);
            all.sent += tally.sent;
            all.failed += tally.failed;
            if !tally.last.is_empty() {
                all.last = tally.last;
            }
        }
        // A handful of failures is told; more would be a measurement of something else.
        if all.failed * 100 > all.sent || all.latencies.is_empty() {
            return Err(BenchError::Failed {
                what: load.what.clone(),
                failed: all.failed,
                sent: all.sent,
                last: all.last,
            });
        }
        Ok(Figure::of(all.latencies, load.length, all.failed))
    }

    async fn client(&self, number: usize, warm: Instant, end: Instant) -> Tally {
        let server = &self.servers[number % self.servers.len()];
        let mut tally = Tally::default();
        let mut connection = None;
        while Instant::now() < end {
            let began = Instant::now();
            let request = (self.request)(number, server, tally.sent);
            tally.sent += 1;
            let open = match &mut connection {
                Some(open) => open,
                none => match Connection::open(server).await {
                    Ok(open) => none.insert(open),
                    Err(error) => {
                        tally.failed += 1;
                        tally.last = error.to_string();
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        continue;
                    }
                },
            };
            match open.exchange(&request).await {
                Ok((status, _)) if (200..300).contains(&status) => {
                    let ended = Instant::now();
                    if began >= warm && ended <= end {
                        let micros = (ended - began).as_micros();
                        tally.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
                    }
                }
                Ok((status, body)) => {
                    tally.failed += 1;
                    tally.last = format!("{status} {}", String::from_utf8_lossy(body));
                }
                Err(error) => {
                    tally.failed += 1;
                    tally.last = error.to_string();
                    connection = None;
                }
            }
        }
        tally
    }
}

fn block_on_local<T>(runtime: &tokio::runtime::Runtime, work: impl Future<Output = T>) -> T {
    LocalSet::new().block_on(runtime, work)
}
