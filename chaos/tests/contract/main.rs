//! The public contract against a real cluster: the very cases of `api`, each request sent to the next node. They need
//! root, as the system tests do.

/// The list of the cases.
#[macro_use]
#[path = "../../../api/tests/contract/every_case.rs"]
mod every_case;

mod round_robin;
mod storm;

/// The cases know a target, and nothing of whose test they are.
#[path = "../../../api/tests/contract"]
mod of_the_api {
    pub mod bodies;
    pub mod cluster;
    pub mod conditions;
    pub mod configs;
    pub mod credentials;
    pub mod envelope;
    pub mod ids;
    pub mod lists;
    pub mod resources;
    pub mod restart;
    pub mod rollback;
    pub mod secrets;
    pub mod settings;
    pub mod target;
    pub mod users;
    pub mod values;
    pub mod wire;
    pub mod workers;
}
use of_the_api::*;

use std::pin::Pin;

use chaos::Harness;
use chaos::harness::Setup;
use futures::stream::{self, StreamExt as _};

use round_robin::RoundRobin;

/// How many cases run at once.
const AT_ONCE: usize = 4;

type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A case and its name.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    run: for<'a> fn(&'a target::Api<'a>) -> Running<'a>,
}

macro_rules! list {
    ($($module:ident { $($case:ident),* $(,)? })*) => {
        const CASES: &[Case] = &[$($(Case {
            name: concat!(stringify!($module), "::", stringify!($case)),
            run: |api| Box::pin($module::$case(api)),
        }),*),*];
    };
}
every_case!(list);

fn ready_to_run() -> bool {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "needs root, and CI must not skip it");
    eprintln!("skipped: needs root");
    false
}

async fn three_nodes() -> Harness {
    let setup = Setup {
        hosts: 3,
        ..Setup::default()
    };
    Harness::up(setup).await.expect("three nodes")
}

/// Runs the cases, each with accounts of its own; the names of those that failed. Each failure prints its own text.
async fn failures(cluster: &round_robin::Nodes, cases: Vec<Case>) -> Vec<&'static str> {
    let wanted = std::env::var("CHAOS_CASE").unwrap_or_default();
    let cases = cases.into_iter().filter(|case| case.name.contains(&wanted));
    let running = stream::iter(cases).map(|case| async move {
        let target = RoundRobin::for_a_case(cluster, case.name).await;
        let done = tokio::spawn(async move { (case.run)(&target::Api::new(&target)).await }).await;
        if done.is_err() {
            eprintln!("^^^ {}", case.name);
        }
        done.is_err().then_some(case.name)
    });
    running
        .buffer_unordered(AT_ONCE)
        .filter_map(async |it| it)
        .collect()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_contract_whichever_node_is_asked() {
    if !ready_to_run() {
        return;
    }
    let harness = three_nodes().await;
    let nodes = round_robin::Nodes::of(harness.cluster(), false);
    let failed = failures(&nodes, CASES.to_vec()).await;
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), CASES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_contract_while_its_leader_is_killed_over_and_over() {
    if !ready_to_run() {
        return;
    }
    let harness = three_nodes().await;
    let nodes = round_robin::Nodes::of(harness.cluster(), true);
    let storm = storm::Storm::start(harness);
    let failed = failures(&nodes, CASES.to_vec()).await;
    let kills = storm.end().await;
    assert!(
        failed.is_empty(),
        "{} of {}, {kills} kills: {failed:#?}",
        failed.len(),
        CASES.len()
    );
    assert!(kills > 0, "the cases were over before a leader was killed");
}
