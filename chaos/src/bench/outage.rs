//! How long a client that writes all the time gets no write through when the leader is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::BenchError;
use super::etcd::{self, Etcd};
use super::http::{Connection, request};
use crate::cluster::{API_PORT, Cluster};
use crate::lab::Lab;

/// After which the client gives an attempt up and tries again.
const ATTEMPT: Duration = Duration::from_secs(1);
/// It writes so long before a kill, and so long after the writes go on again.
const CALM: Duration = Duration::from_millis(700);
const DEADLINE: Duration = Duration::from_secs(60);

/// A cluster whose leader can be killed.
pub(super) trait Member {
    /// Kills the leader; which one it was.
    async fn kill_leader(&mut self) -> Result<usize, BenchError>;
    /// Starts that one again and waits until it serves.
    async fn restart(&mut self, index: usize) -> Result<(), BenchError>;
    /// Who leads now.
    async fn leader(&self) -> Result<Option<usize>, BenchError>;
    /// The address of a member and a write for it.
    fn write(&self, index: usize) -> Result<(String, Vec<u8>), BenchError>;
}

/// The longest time without a write around each kill, in seconds. The client asks a member that is not killed.
pub(super) async fn measure(member: &mut impl Member, kills: usize) -> Result<Vec<f64>, BenchError> {
    let mut outages = Vec::new();
    while outages.len() < kills {
        let Some(leader) = wait_leader(member).await? else {
            return Err(BenchError::NoWrite);
        };
        let (server, write) = member.write((leader + 1) % 3)?;
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn(write_on(server, write, Arc::clone(&stop)));
        sleep(CALM).await;
        let since = Instant::now();
        let killed = member.kill_leader().await?;
        sleep(CALM * 3).await;
        member.restart(killed).await?;
        sleep(CALM).await;
        stop.store(true, Ordering::Relaxed);
        let times = writer.await.unwrap_or_default();
        let before = times
            .iter()
            .filter(|time| **time < since)
            .max()
            .copied()
            .unwrap_or(since);
        let after: Vec<Instant> = times.into_iter().filter(|time| *time >= since).collect();
        let mut gaps = std::iter::once(before)
            .chain(after.iter().copied())
            .zip(&after)
            .map(|(one, next)| *next - one);
        let first = gaps.next().ok_or(BenchError::NoWrite)?;
        let longest = gaps.fold(first, Duration::max);
        outages.push(longest.as_secs_f64());
    }
    Ok(outages)
}

async fn wait_leader(member: &impl Member) -> Result<Option<usize>, BenchError> {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(leader) = member.leader().await? {
            return Ok(Some(leader));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(None)
}

/// Writes one after the other; when each was acknowledged.
async fn write_on(server: String, write: Vec<u8>, stop: Arc<AtomicBool>) -> Vec<Instant> {
    let mut times = Vec::new();
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        let attempt = async {
            let open = match &mut connection {
                Some(open) => open,
                none => none.insert(Connection::open(&server).await?),
            };
            open.exchange(&write).await.map(|(status, _)| status)
        };
        match timeout(ATTEMPT, attempt).await {
            Ok(Ok(status)) if (200..300).contains(&status) => times.push(Instant::now()),
            // Told to come again: at once, as the question is how soon it can.
            Ok(Ok(_)) => sleep(Duration::from_millis(5)).await,
            Ok(Err(_)) | Err(_) => {
                connection = None;
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
    times
}

/// This project's own.
pub(super) struct Own<'a> {
    pub lab: &'a Lab,
    pub cluster: &'a mut Cluster,
    /// Of the object that is written.
    pub path: String,
}

impl Own<'_> {
    fn host(&self, index: usize) -> u8 {
        self.cluster.hosts()[index]
    }
}

impl Member for Own<'_> {
    async fn kill_leader(&mut self) -> Result<usize, BenchError> {
        let leader = self.leader().await?.ok_or(BenchError::NoWrite)?;
        self.cluster.kill(self.host(leader))?;
        Ok(leader)
    }

    async fn restart(&mut self, index: usize) -> Result<(), BenchError> {
        let host = self.host(index);
        self.cluster.launch(self.lab, host)?;
        Ok(self.cluster.wait_ready(host).await?)
    }

    async fn leader(&self) -> Result<Option<usize>, BenchError> {
        for asked in self.cluster.hosts() {
            if let Ok(Some(leader)) = self.cluster.leader(asked).await {
                return Ok(self.cluster.hosts().iter().position(|host| *host == leader));
            }
        }
        Ok(None)
    }

    fn write(&self, index: usize) -> Result<(String, Vec<u8>), BenchError> {
        let url = self.cluster.url(self.host(index), API_PORT)?;
        let server = url.trim_start_matches("http://").to_owned();
        let write = request(
            "PATCH",
            &self.path,
            &server,
            Some(self.cluster.key()),
            r#"{"name":"x"}"#,
        );
        Ok((server, write))
    }
}

/// etcd.
pub(super) struct Peer<'a> {
    pub lab: &'a Lab,
    pub etcd: &'a mut Etcd,
}

impl Member for Peer<'_> {
    async fn kill_leader(&mut self) -> Result<usize, BenchError> {
        let leader = self.leader().await?.ok_or(BenchError::NoWrite)?;
        self.etcd.kill(leader);
        Ok(leader)
    }

    async fn restart(&mut self, index: usize) -> Result<(), BenchError> {
        self.etcd.restart(self.lab, index).await
    }

    async fn leader(&self) -> Result<Option<usize>, BenchError> {
        self.etcd.leader().await
    }

    fn write(&self, index: usize) -> Result<(String, Vec<u8>), BenchError> {
        let server = self.etcd.servers()[index].clone();
        let write = etcd::put(&server, "outage");
        Ok((server, write))
    }
}
