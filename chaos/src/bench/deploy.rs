//! Deploys: how long replicas take to be ready and to be gone, beside containerd driven raw and Docker Swarm in the same
//! run; and how many requests fail while a service is updated, drained and robbed of a host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::BenchError;
use crate::deploys::{Outcome, REPLICAS, Stage, StageError, scenario};

mod raw;
mod swarm;

use raw::Raw;
pub use raw::RawError;
use swarm::Swarm;

/// How many replicas come up together, and in services of how many.
const SIZES: [(usize, usize); 3] = [(1, 1), (12, 1), (60, 5)];
const POLL: Duration = Duration::from_millis(10);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct DeployEffort {
    /// Each start and stop is done this often; the median counts.
    pub rounds: usize,
    /// Updates go on until so many requests have been sent.
    pub requests: usize,
    /// Without Docker Swarm its columns are left out.
    pub swarm: bool,
}

/// Medians, by the number of replicas: to start, and to stop.
type Times = BTreeMap<usize, (Duration, Duration)>;

/// Measures and prints.
pub fn deploy(effort: &DeployEffort) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(BenchError::Runtime)?.block_on(measure(effort))
}

async fn measure(effort: &DeployEffort) -> Result<(), BenchError> {
    super::head("deploys of 12 replicas on three hosts");
    let stage = Stage::set(&[]).await?;
    let own = own_times(&stage, effort.rounds).await?;
    let raw = raw_times(&stage, effort.rounds).await?;
    drop(stage);
    let swarm = if effort.swarm {
        swarm_times(effort.rounds).await
    } else {
        Err("it was left out".to_owned())
    };
    table(&own, &raw, swarm.as_ref().ok());
    if let Err(why) = swarm {
        println!("no figures of Docker Swarm: {why}");
    }
    println!();
    println!(
        "{:<34} {:>8} {:>9} {:>7} {:>9} {:>11}",
        "under 500 requests/s", "seconds", "requests", "failed", "p99 ms", "slowest ms"
    );
    failures(effort.requests).await
}

/// One line of what came of the requests.
fn row(outcome: &Outcome) {
    let ms = |it: Duration| it.as_secs_f64() * 1000.0;
    let gone = outcome.away.iter().filter(|it| it.until == Duration::MAX);
    let away: Vec<u8> = gone.map(|it| it.host).collect();
    println!(
        "{:<34} {:>8.2} {:>9} {:>7} {:>9.1} {:>11.1}",
        outcome.what,
        outcome.took.as_secs_f64(),
        outcome.report.sent(),
        outcome.failures().len(),
        ms(outcome.report.percentile(99)),
        ms(outcome.report.slowest(|host| !away.contains(&host))),
    );
    for failure in outcome.failures().iter().take(5) {
        println!("    {failure}");
    }
}

async fn failures(requests: usize) -> Result<(), BenchError> {
    let mut stage = Stage::set(&[]).await?;
    let mut updates = scenario::rolling_update(&stage, "2").await?;
    let mut version = 2;
    while updates.report.sent() < requests {
        version += 1;
        let next = scenario::rolling_update(&stage, &version.to_string()).await?;
        updates.report.extend(next.report);
        updates.took = updates.took.max(next.took);
    }
    updates.what = format!("{} rolling updates, the longest", version - 1);
    row(&updates);
    row(&scenario::failing_update(&stage).await?);
    row(&scenario::rollback(&stage).await?);
    row(&scenario::scale(&stage, 4).await?);
    row(&scenario::drain(&stage, 2).await?);
    row(&scenario::restart_each(&mut stage).await?);
    row(&scenario::kill_containerd(&stage, 1).await?);
    row(&scenario::kill_daemon(&mut stage, 3).await?);
    row(&scenario::lose_host(&mut stage, 3).await?);
    row(&scenario::return_host(&mut stage, 3).await?);
    println!(
        "failed: of requests through a proxy that was there. Of those to a host that was killed, only POSTs in flight may."
    );
    Ok(())
}

/// The service of the stage is made small first: it would be in the way.
async fn own_times(stage: &Stage, rounds: usize) -> Result<Times, BenchError> {
    let image = stage.shown(1).await?["image"].clone();
    let api = stage.api(1)?;
    stage.patch(1, &json!({"replicas_target": stage.hosts().len()})).await?;
    stage.wait_ready(1, stage.hosts().len()).await?;
    let all = connect(stage).await?;
    let mut times = Times::new();
    for (replicas, services) in SIZES {
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let began = Instant::now();
            let mut made = Vec::new();
            for n in 0..services {
                let name = format!("b{replicas}-{round}-{n}");
                let wanted = json!({
                    "name": name, "image": image, "port": 8080, "replicas_target": replicas / services,
                });
                let service = api.post("/api/services/", &wanted).await.map_err(StageError::from)?;
                made.push(service["id"].as_str().unwrap_or_default().to_owned());
            }
            let mut left = made.clone();
            stage
                .wait("all services are ready", async || {
                    while let Some(id) = left.last() {
                        let shown = api
                            .get(&format!("/api/services/{id}/"))
                            .await
                            .map_err(|error| error.to_string())?;
                        if shown["status"] != "ready" {
                            return Err(shown.to_string());
                        }
                        left.pop();
                    }
                    Ok(())
                })
                .await?;
            starts.push(began.elapsed());
            let began = Instant::now();
            for id in &made {
                api.delete(&format!("/api/services/{id}/"))
                    .await
                    .map_err(StageError::from)?;
            }
            // Those of the stage's own service stay, one a host.
            stage
                .wait("all containers are gone", async || {
                    let mut there = 0;
                    for raw in &all {
                        there += raw.count().await.map_err(|error| error.to_string())?;
                    }
                    if there == all.len() {
                        Ok(())
                    } else {
                        Err(format!("{there} containers"))
                    }
                })
                .await?;
            stops.push(began.elapsed());
            sleep(POLL).await;
        }
        times.insert(replicas, (median(starts), median(stops)));
    }
    Ok(times)
}

/// The containerd of each host, which has a container of ours to take as an example.
async fn connect(stage: &Stage) -> Result<Vec<Arc<Raw>>, BenchError> {
    let mut all = Vec::new();
    for host in stage.hosts() {
        let socket = stage.lab.disk(host).join("data/host/containerd/containerd.sock");
        all.push(Arc::new(Raw::connect(&socket).await?));
    }
    Ok(all)
}

/// The daemons are stopped meanwhile; their containerds go on.
async fn raw_times(stage: &Stage, rounds: usize) -> Result<Times, BenchError> {
    block_in_place(|| stage.hosts().into_iter().try_for_each(|host| stage.cluster.stop(host)))?;
    let all = connect(stage).await?;
    let mut times = Times::new();
    for (replicas, _) in SIZES {
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let took = raw::start_and_stop(&all, replicas).await?;
            starts.push(took.start);
            stops.push(took.stop);
        }
        times.insert(replicas, (median(starts), median(stops)));
    }
    Ok(times)
}

async fn swarm_times(rounds: usize) -> Result<Times, String> {
    let swarm = Swarm::start().await?;
    let mut times = Times::new();
    for (replicas, _) in SIZES {
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (start, stop) = swarm.start_and_stop(replicas).await?;
            starts.push(start);
            stops.push(stop);
        }
        times.insert(replicas, (median(starts), median(stops)));
    }
    Ok(times)
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn table(own: &Times, raw: &Times, swarm: Option<&Times>) {
    println!(
        "{:<34} {:>8} {:>8} {:>7} {:>8} {:>7}",
        "image present, seconds", "goblins", "raw", "ratio", "swarm", "ratio"
    );
    type Pick = fn(&(Duration, Duration)) -> Duration;
    let kinds: [(&str, Pick); 2] = [
        ("replicas ready", |it| it.0),
        ("replicas stopped and removed", |it| it.1),
    ];
    for (what, pick) in kinds {
        for (replicas, services) in SIZES {
            let seconds = |times: &Times| times.get(&replicas).map(pick).unwrap_or_default().as_secs_f64();
            let (ours, theirs) = (seconds(own), seconds(raw));
            let peer = swarm.map_or(String::new(), |it| {
                let peer = seconds(it);
                format!("{peer:>8.2} {:>7.2}", ours / peer)
            });
            let services = if services > 1 {
                format!(" ({services} services)")
            } else {
                String::new()
            };
            let what = format!("{replicas} {what}{services}");
            println!("{what:<34} {ours:>8.2} {theirs:>8.2} {:>7.2} {peer}", ours / theirs);
        }
    }
    println!(
        "target: 1.3 of raw. Raw has no address, no probe, no log and no record of what it did; of {REPLICAS} replicas a host starts 8 at a time."
    );
}
