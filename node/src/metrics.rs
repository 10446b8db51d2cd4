//! What a node measures of itself and of the cluster as it knows it; read when somebody asks.

use std::collections::BTreeMap;

use model::{Intent, Phase, ServiceKind, State};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use raft::{Cluster, Status};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabel {
    node: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// All of it, in the OpenMetrics text format.
pub(crate) fn text(cluster: &Cluster) -> String {
    let mut registry = Registry::with_prefix("goblins");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The daemon that runs here", build);
    consensus(&mut registry, cluster, &cluster.status());
    contents(&mut registry, &cluster.local());
    process(&mut registry);
    let mut text = String::new();
    // A string takes whatever is written to it.
    let written = encode(&mut text, &registry);
    debug_assert!(written.is_ok(), "{written:?}");
    text
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<i64>::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    registry.register(name, help, gauge);
}

fn consensus(registry: &mut Registry, cluster: &Cluster, status: &Status) {
    let leads = u64::from(status.leader == Some(status.node_id));
    gauge(registry, "raft_is_leader", "Whether this node leads", leads);
    gauge(
        registry,
        "raft_has_leader",
        "Whether a leader is known here",
        u64::from(status.leader.is_some()),
    );
    gauge(registry, "raft_term", "The current term", status.term);
    gauge(
        registry,
        "raft_commit_index",
        "The last entry known to be committed",
        status.commit_index.unwrap_or(0),
    );
    gauge(
        registry,
        "raft_applied_index",
        "The last entry applied here",
        status.applied_index.unwrap_or(0),
    );
    gauge(
        registry,
        "raft_snapshot_index",
        "The last entry contained in this node's newest snapshot",
        status.snapshot_index.unwrap_or(0),
    );
    gauge(
        registry,
        "raft_voters",
        "Members whose votes count",
        status.voters.len() as u64,
    );
    gauge(
        registry,
        "raft_learners",
        "Members that only follow",
        status.learners.len() as u64,
    );
    if let Some(age) = cluster.staleness() {
        let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        gauge(
            registry,
            "raft_staleness_milliseconds",
            "Since the last word from the leader",
            millis,
        );
    }
    let lag = Family::<NodeLabel, Gauge>::default();
    for member in status.voters.iter().chain(&status.learners) {
        if let Some(entries) = member.lag {
            let label = NodeLabel { node: member.id.0 };
            lag.get_or_create(&label)
                .set(i64::try_from(entries).unwrap_or(i64::MAX));
        }
    }
    registry.register(
        "raft_lag_entries",
        "Entries that a member lacks, as the leader knows it",
        lag,
    );
}

fn contents(registry: &mut Registry, state: &State) {
    let mut services = [0; 2];
    for service in state.services() {
        services[usize::from(service.kind() == ServiceKind::Worker)] += 1;
    }
    gauge(registry, "services", "Services of all accounts", services[0]);
    gauge(registry, "workers", "Workers of all accounts", services[1]);
    counted(
        registry,
        "nodes",
        "Nodes by the cluster's verdict",
        state.nodes().map(|it| if it.is_up() { "up" } else { "down" }),
    );
    let wanted = state.replicas().filter(|it| it.intent == Intent::Run);
    counted(
        registry,
        "replicas",
        "Wanted replicas by phase",
        wanted.map(|it| phase(it.phase)),
    );
    gauge(
        registry,
        "secret_values",
        "Sealed values",
        state.secret_value_count() as u64,
    );
}

fn counted(registry: &mut Registry, name: &str, help: &str, states: impl Iterator<Item = &'static str>) {
    let mut counts: BTreeMap<_, i64> = BTreeMap::new();
    states.for_each(|it| *counts.entry(it).or_default() += 1);
    let family = Family::<StateLabel, Gauge>::default();
    for (state, count) in counts {
        family.get_or_create(&StateLabel { state }).set(count);
    }
    registry.register(name, help, family);
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Assigned => "assigned",
        Phase::Pulling => "pulling",
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::Failed => "failed",
        Phase::Stopped => "stopped",
    }
}

/// Of this process, as far as the kernel tells.
fn process(registry: &mut Registry) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|it| it.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    if let Some(kib) = resident {
        gauge(registry, "process_resident_bytes", "Memory of this daemon", kib * 1024);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge(
            registry,
            "process_open_files",
            "Files and sockets of this daemon",
            open.count() as u64,
        );
    }
}
