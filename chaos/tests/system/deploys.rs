//! Deploys that lose nothing: what is done to a service of twelve replicas while 500 requests a second come in through
//! the proxies of all three nodes, counted exactly.

use std::time::Duration;

use chaos::cluster::Options;
use chaos::deploys::{Outcome, REPLICAS, Stage, scenario};
use chaos::load::{Method, Trouble};

use crate::common::{can_make_hosts, install_crypto};

async fn stage() -> Stage {
    install_crypto();
    match Stage::set(&[]).await {
        Ok(stage) => stage,
        Err(error) => panic!("the stage is not set: {error}"),
    }
}

/// Prints what the daemons said when an expectation fails.
fn expect(stage: &Stage, outcome: Result<Outcome, impl std::fmt::Display>) -> Outcome {
    match outcome {
        Ok(outcome) => {
            println!("{outcome}");
            outcome
        }
        Err(error) => panic!("{error}\n{}", stage.cluster.tails(40)),
    }
}

fn lost_nothing(stage: &Stage, outcome: Result<Outcome, impl std::fmt::Display>) {
    let outcome = expect(stage, outcome);
    assert!(outcome.report.sent() > 500, "{outcome}");
    assert!(outcome.failures().is_empty(), "{outcome}\n{}", stage.cluster.tails(40));
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_rollbacks_scaling_and_drains_lose_no_request() {
    if !can_make_hosts() {
        return;
    }
    let stage = stage().await;
    lost_nothing(&stage, scenario::rolling_update(&stage, "2").await);
    lost_nothing(&stage, scenario::failing_update(&stage).await);
    lost_nothing(&stage, scenario::rollback(&stage).await);
    lost_nothing(&stage, scenario::scale(&stage, 4).await);
    lost_nothing(&stage, scenario::drain(&stage, 2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_cost_only_those_who_ask_the_proxy_that_is_away() {
    if !can_make_hosts() {
        return;
    }
    let mut stage = stage().await;
    let outcome = scenario::restart_each(&mut stage).await;
    let restarts = expect(&stage, outcome);
    assert!(
        restarts.failures().is_empty(),
        "{restarts}\n{}",
        stage.cluster.tails(40)
    );
    // Whoever asks the proxy itself is never cut off: it is answered, or refused.
    assert!(
        restarts.cut().len() <= 3,
        "only connections that were being opened as the listener went: {restarts}"
    );
    let outcome = scenario::kill_containerd(&stage, 1).await;
    lost_nothing(&stage, outcome);
    let outcome = scenario::kill_daemon(&mut stage, 3).await;
    let kill = expect(&stage, outcome);
    assert!(kill.avoidable().is_empty(), "{kill}\n{}", stage.cluster.tails(40));
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_with_sockets_that_are_kept_cost_nobody_anything() {
    if !can_make_hosts() {
        return;
    }
    install_crypto();
    let options = Options {
        keeps_sockets: true,
        ..Options::default()
    };
    let mut stage = Stage::with(options).await.expect("the service is up");
    let outcome = scenario::restart_each(&mut stage).await;
    let restarts = expect(&stage, outcome);
    println!("{restarts}");
    assert!(restarts.away.is_empty(), "{restarts}");
    assert!(
        restarts.report.failures.is_empty(),
        "{restarts}\n{:?}\n{}",
        restarts.report.failures,
        stage.cluster.tails(40)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_a_host_costs_what_was_in_flight_there_and_its_return_nothing() {
    if !can_make_hosts() {
        return;
    }
    let mut stage = stage().await;
    lose(&mut stage, 3).await;
    let outcome = scenario::return_host(&mut stage, 3).await;
    lost_nothing(&stage, outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_the_leaders_host_costs_no_more() {
    if !can_make_hosts() {
        return;
    }
    let mut stage = stage().await;
    let leader = stage.cluster.leader(1).await.ok().flatten().expect("somebody leads");
    lose(&mut stage, leader).await;
}

/// A host loses its power: nothing fails but what must not be sent twice and was on its way to a container there.
async fn lose(stage: &mut Stage, host: u8) {
    let outcome = scenario::lose_host(stage, host).await;
    let loss = expect(stage, outcome);
    assert!(loss.avoidable().is_empty(), "{loss}\n{}", stage.cluster.tails(40));
    for failure in loss.failures() {
        assert_eq!(failure.method, Method::Post, "{failure}");
        assert!(
            matches!(failure.trouble, Trouble::Status { status: 502, .. }),
            "{failure}"
        );
    }
    assert!(loss.took < Duration::from_secs(5), "{REPLICAS} replicas again: {loss}");
    for left in stage.hosts().into_iter().filter(|it| *it != host) {
        assert!(loss.report.longest_gap(left) < Duration::from_millis(300), "{loss}");
    }
}
