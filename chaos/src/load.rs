//! Requests to a service through the proxies of many nodes, at a steady rate whatever comes of them: half of them over
//! kept connections and half over new ones, mostly GET and some POST. Every one that fails is recorded.
//!
//! The client is a plain one: it opens TCP connections, heeds `Connection: close`, and sends nothing twice. What it
//! calls a failure is one for any client.

mod connection;
mod report;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use connection::Connection;
pub use connection::Trouble;
pub use report::{Failure, Good, Method, Report};

/// After which a request has failed.
const DEADLINE: Duration = Duration::from_secs(5);
/// Kept connections a proxy. Each is in use often enough that no side has a reason to close it.
const KEPT: usize = 8;

/// What is asked, of whom, and how often.
#[derive(Clone, Debug)]
pub struct Aim {
    /// The proxies by the numbers of their hosts; each gets the same share.
    pub proxies: Vec<(u8, SocketAddr)>,
    /// Of the service. Its replicas have to be the test server's.
    pub hostname: String,
    /// Requests a second, all proxies together.
    pub rate: u32,
    /// Every so manieth request is a POST.
    pub post_every: u32,
}

/// A load under way.
#[derive(Debug)]
pub struct Load {
    began: Instant,
    stop: watch::Sender<bool>,
    task: JoinHandle<Report>,
}

impl Load {
    /// Begins at once.
    pub fn start(aim: Aim) -> Self {
        let began = Instant::now();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(send_all(Arc::new(Clients::new(aim)), began, stopped));
        Self { began, stop, task }
    }

    /// How long it has been under way: the clock of its report.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Sends no more, waits for the last answers, and tells what came of all. `None` if the generator itself broke.
    pub async fn finish(self) -> Option<Report> {
        self.stop.send_replace(true);
        self.task.await.ok()
    }
}

async fn send_all(clients: Arc<Clients>, began: Instant, mut stopped: watch::Receiver<bool>) -> Report {
    let pause = Duration::from_secs(1) / clients.aim.rate.max(1);
    let (mut under_way, mut report, mut number) = (JoinSet::new(), Report::default(), 0);
    loop {
        let due = began + pause * number;
        tokio::select! {
            () = sleep_until(due) => {
                under_way.spawn(Arc::clone(&clients).send(number, began));
                number += 1;
            }
            Some(done) = under_way.join_next() => report.note(done.ok()),
            _ = stopped.wait_for(|it| *it) => break,
        }
    }
    while let Some(done) = under_way.join_next().await {
        report.note(done.ok());
    }
    report.lasted = began.elapsed();
    report
}

/// The clients of all proxies.
#[derive(Debug)]
struct Clients {
    aim: Aim,
    kept: Vec<Mutex<VecDeque<Connection>>>,
}

impl Clients {
    fn new(aim: Aim) -> Self {
        let kept = aim.proxies.iter().map(|_| Mutex::default()).collect();
        Self { aim, kept }
    }

    /// Sends request `number` and tells what came of it.
    async fn send(self: Arc<Self>, number: u32, began: Instant) -> Result<Good, Failure> {
        let proxies = u32::try_from(self.aim.proxies.len()).unwrap_or(1).max(1);
        let place = number % proxies;
        let (host, addr) = self.aim.proxies[place as usize];
        let keeps = (number / proxies).is_multiple_of(2);
        let method = if number.is_multiple_of(self.aim.post_every.max(1)) {
            Method::Post
        } else {
            Method::Get
        };
        let at = began.elapsed();
        let idle = &self.kept[place as usize];
        let kept = if keeps { take(idle) } else { None };
        let reused = kept.is_some();
        let asked = timeout(DEADLINE, self.ask(kept, addr, method, number)).await;
        let took = began.elapsed() - at;
        match asked.unwrap_or(Err(Trouble::Late)) {
            Ok(connection) => {
                if let Some(connection) = connection.filter(|_| keeps) {
                    lock(idle).push_back(connection);
                }
                Ok(Good { host, at, took })
            }
            Err(trouble) => Err(Failure {
                host,
                at,
                took,
                number,
                method,
                reused,
                trouble,
            }),
        }
    }

    /// Gives back the connection unless it is to be closed.
    async fn ask(
        &self,
        kept: Option<Connection>,
        addr: SocketAddr,
        method: Method,
        number: u32,
    ) -> Result<Option<Connection>, Trouble> {
        let mut connection = match kept {
            Some(kept) => kept,
            None => Connection::open(addr).await?,
        };
        let path = format!("/load/{number}");
        let closes = connection.ask(method, &self.aim.hostname, &path).await?;
        Ok((!closes).then_some(connection))
    }
}

/// The one that has been idle longest, once there are enough of them.
fn take(idle: &Mutex<VecDeque<Connection>>) -> Option<Connection> {
    let mut idle = lock(idle);
    idle.retain(Connection::is_open);
    if idle.len() < KEPT { None } else { idle.pop_front() }
}

fn lock(idle: &Mutex<VecDeque<Connection>>) -> std::sync::MutexGuard<'_, VecDeque<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
