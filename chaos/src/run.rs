//! A run: a cluster, clients on all of its nodes, faults by a seed, and a judgement at the end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{Client, ClientError};
use crate::cluster::node_name;
use crate::fault::{Host, Kind};
use crate::harness::{Harness, HarnessError, Setup};
use crate::history::{self, End, FaultSpan, History, Led, Violation};
use crate::schedule::{self, Strike};
use crate::workload::{CREATED, Role, Shared, Worker, register_text};

pub mod report;
mod timeline;

/// How long the whole cluster may take to be ready again when all is healed.
const WATCH: Duration = Duration::from_millis(100);
const END_DEADLINE: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides the faults and what clients choose.
    pub seed: u64,
    /// How long clients work.
    pub length: Duration,
    /// The kinds of faults.
    pub kinds: Vec<Kind>,
    /// How many nodes.
    pub hosts: Host,
    /// How many registers.
    pub registers: u32,
    /// Between two operations of a client, at most.
    pub pace: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            length: Duration::from_secs(60),
            kinds: Kind::ALL.to_vec(),
            hosts: 3,
            registers: 3,
            pace: Duration::from_millis(20),
        }
    }
}

/// Why a run came to no judgement.
#[derive(Debug, Error)]
pub enum RunError {
    /// The cluster did not come up, or a fault could not be brought about.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// A request that has to work did not.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A task of the run itself broke.
    #[error("a task of the run broke")]
    Task(#[source] tokio::task::JoinError),
    /// The report could not be written.
    #[error("cannot write {}", .0.display())]
    Report(PathBuf, #[source] io::Error),
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// What was done and seen.
    pub history: History,
    /// What must not be.
    pub violations: Vec<Violation>,
    /// The ends of the daemons' logs, where something must not be.
    pub logs: String,
}

/// Carries a plan out and judges what clients saw.
pub async fn carry_out(plan: &Plan) -> Result<Run, RunError> {
    let setup = Setup {
        hosts: plan.hosts,
        clocks: plan.kinds.contains(&Kind::Clock),
        // The bolder way of reading, with which there is more to lose.
        flags: vec!["--read-lease".to_owned(), "on".to_owned()],
    };
    let mut harness = Harness::up(setup).await?;
    let clients = clients(&harness)?;
    let (_, first) = &clients[0];
    let mut history = History::default();
    let mut registers = Vec::new();
    for register in 0..plan.registers {
        let body = json!({"name": register_text(register, history.initial)});
        let made = first.post("/api/projects/", &body).await?;
        registers.push(format!("/api/projects/{}/", made["id"].as_str().unwrap_or_default()));
    }
    history.counted_before = counted(first).await?;
    let shared = Arc::new(Shared {
        epoch: Instant::now(),
        stop: AtomicBool::new(false),
        registers,
        next_value: AtomicU64::new(1),
        pace: plan.pace,
    });
    let mut workers: Vec<JoinHandle<_>> = Vec::new();
    for (place, one) in clients.iter().enumerate() {
        let mut all = clients.clone();
        all.rotate_left(place);
        for (role, nodes) in [
            (Role::Registers, vec![one.clone()]),
            (Role::Registers, all),
            (Role::Creator, vec![one.clone()]),
            (Role::Counter, vec![one.clone()]),
        ] {
            let worker = Worker {
                number: u32::try_from(workers.len()).unwrap_or_default(),
                nodes,
                role,
                shared: Arc::clone(&shared),
            };
            workers.push(tokio::spawn(worker.work(plan.seed)));
        }
    }
    let watcher = tokio::spawn(watch_leader(clients.clone(), Arc::clone(&shared)));

    let struck = strike_all(&mut harness, plan, &shared, &mut history).await;
    shared.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        history.events.extend(worker.await.map_err(RunError::Task)?);
    }
    history.leaders = watcher.await.map_err(RunError::Task)?;
    struck?;

    let mut violations = Vec::new();
    harness.revive()?;
    match harness.wait_ready().await {
        Ok(()) => history.ends = ends(&clients).await?,
        Err(error) => violations.push(Violation {
            check: "recovery",
            what: error.to_string(),
        }),
    }
    violations.extend(history::violations(&history));
    let logs = if violations.is_empty() {
        String::new()
    } else {
        harness.cluster().tails(60)
    };
    Ok(Run {
        history,
        violations,
        logs,
    })
}

fn clients(harness: &Harness) -> Result<Vec<(Host, Client)>, RunError> {
    let client = |host| harness.cluster().client(host).map(|client| (host, client));
    let clients: Result<Vec<_>, _> = harness.hosts().into_iter().map(client).collect();
    Ok(clients.map_err(HarnessError::from)?)
}

/// Brings about what the schedule says, at its times.
async fn strike_all(
    harness: &mut Harness,
    plan: &Plan,
    shared: &Shared,
    history: &mut History,
) -> Result<(), RunError> {
    let strikes = schedule::draw(plan.seed, plan.length, &plan.kinds, plan.hosts);
    let mut left = strikes.as_slice();
    while let Some(first) = left.first() {
        // Those that begin together also end together.
        let together: &[Strike];
        (together, left) = left.split_at(left.iter().take_while(|strike| strike.at == first.at).count());
        sleep_until(shared.epoch + first.at).await;
        let leader = harness.leader().await;
        let mut standing = Vec::new();
        for strike in together {
            let fault = strike.fault(leader, plan.hosts);
            let began = shared.now();
            harness.inject(&fault)?;
            standing.push((fault, began));
        }
        sleep(first.lasts).await;
        for (fault, began) in standing {
            harness.heal(&fault)?;
            let healed = shared.now();
            history.faults.push(FaultSpan { fault, began, healed });
        }
        harness.revive()?;
    }
    sleep_until(shared.epoch + plan.length).await;
    Ok(())
}

/// Asks one node after the other who leads, and notes when the answer with the highest term changes.
async fn watch_leader(clients: Vec<(Host, Client)>, shared: Arc<Shared>) -> Vec<Led> {
    let mut seen: Vec<Led> = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let mut newest: Option<(u64, Option<Host>)> = None;
        let asked = clients.iter().map(|(_, client)| {
            client.send(
                reqwest::Method::GET,
                "/api/cluster/?consistency=local",
                &[],
                None,
                WATCH * 5,
            )
        });
        for answer in futures::future::join_all(asked).await.into_iter().flatten() {
            let cluster = answer.json();
            let Some(term) = cluster["term"].as_u64() else { continue };
            let leader = leader_of(&cluster, &clients);
            if newest.is_none_or(|(known, led)| term > known || (term == known && led.is_none())) {
                newest = Some((term, leader));
            }
        }
        let (term, leader) = newest.unwrap_or((seen.last().map_or(0, |led| led.term), None));
        if seen
            .last()
            .is_none_or(|last| (last.leader, last.term) != (leader, term))
        {
            let at = shared.now();
            seen.push(Led { at, leader, term });
        }
        sleep(WATCH).await;
    }
    seen
}

fn leader_of(cluster: &Value, clients: &[(Host, Client)]) -> Option<Host> {
    let name = cluster["leader"]["name"].as_str()?;
    clients
        .iter()
        .map(|(host, _)| *host)
        .find(|host| node_name(*host) == name)
}

async fn counted(client: &Client) -> Result<u64, ClientError> {
    Ok(client.get("/api/projects/").await?["count"]
        .as_u64()
        .unwrap_or_default())
}

/// What each node shows now.
async fn ends(clients: &[(Host, Client)]) -> Result<Vec<End>, RunError> {
    let mut ends = Vec::new();
    for (host, client) in clients {
        let until = Instant::now() + END_DEADLINE;
        let end = loop {
            match end(*host, client).await {
                Ok(end) => break end,
                Err(error) if Instant::now() > until => return Err(error.into()),
                Err(_) => sleep(WATCH).await,
            }
        };
        ends.push(end);
    }
    Ok(ends)
}

async fn end(host: Host, client: &Client) -> Result<End, ClientError> {
    let mut names = Vec::new();
    for page in 1.. {
        let list = client.get(&format!("/api/domains/?page={page}")).await?;
        let domains = list["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |domain: &Value, field: &str| domain[field].as_str().unwrap_or_default().to_owned();
        let named = domains
            .iter()
            .map(|domain| (text(domain, "hostname"), text(domain, "id")));
        names.extend(named.filter(|(name, _)| name.ends_with(CREATED)));
        if list["next"].is_null() {
            break;
        }
    }
    Ok(End {
        host,
        names,
        counted: counted(client).await?,
    })
}
