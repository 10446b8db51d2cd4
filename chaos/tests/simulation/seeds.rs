//! Many seeds, each in a process of its own, so that nothing is left of the one before.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::EnvFilter;

use crate::bug::Bug;
use crate::run;

/// Which seeds: `500`, or `7..20`.
const SEEDS: &str = "SEEDS";
/// Tells a child process what to run.
const SEED: &str = "SIM_SEED";
const BUG: &str = "SIM_BUG";
/// How many are run by `make test`.
const USUAL: u64 = 500;
/// How many are tried until one finds a bug that was put in.
const TRIED: u64 = 400;

/// How often something panicked in this process.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// One run, as its process tells it.
#[derive(Clone, Debug)]
struct Line {
    seed: u64,
    is_good: bool,
    /// What it printed.
    text: String,
}

impl Line {
    /// The line that two runs of one seed must have in common.
    fn result(&self) -> Option<&str> {
        self.text.lines().find_map(|it| it.strip_prefix("result "))
    }
}

fn one(seed: u64, bug: Bug) -> Line {
    let program = std::env::current_exe().expect("this program is a file");
    let output = Command::new(program)
        .args(["--exact", "seeds::one_seed", "--ignored", "--nocapture"])
        .env(SEED, seed.to_string())
        .env(BUG, bug.name())
        .stdin(Stdio::null())
        .output()
        .expect("this program can be run again");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Line {
        seed,
        is_good: output.status.success(),
        text,
    }
}

/// Runs seeds, as many at once as there are processors, until one is `wanted`.
fn many(seeds: std::ops::Range<u64>, bug: Bug, wanted: impl Fn(&Line) -> bool + Sync) -> Vec<Line> {
    let next = AtomicU64::new(seeds.start);
    let lines = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let line = one(seed, bug);
                    if wanted(&line) {
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                    lines.lock().expect("no worker panics").push(line);
                }
            });
        }
    });
    let mut lines = lines.into_inner().expect("no worker panics");
    lines.sort_by_key(|it| it.seed);
    lines
}

fn asked() -> std::ops::Range<u64> {
    let text = std::env::var(SEEDS).unwrap_or_default();
    let number = |it: &str| it.trim().parse::<u64>().ok();
    match text.split_once("..") {
        Some((from, to)) => number(from).unwrap_or(1)..number(to).map_or(USUAL + 1, |it| it + 1),
        None => 1..number(&text).unwrap_or(USUAL) + 1,
    }
}

/// What the process of one seed does.
#[test]
#[ignore = "run by the others, in a process of its own"]
fn one_seed() {
    let seed = std::env::var(SEED).ok().and_then(|it| it.parse().ok()).unwrap_or(1);
    let bug = Bug::of(&std::env::var(BUG).unwrap_or_default());
    // What the nodes say, for whoever looks into one run: RUST_LOG=raft=debug.
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_default_env())
            .init();
    }
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let run = thread.spawn(move || run::run(seed, bug)).expect("a thread");
    let mut report = run.join().expect("the run ends");
    // In a task of a node a panic ends nothing else by itself.
    if PANICS.load(Ordering::Relaxed) > 0 {
        report.violations.push("a node panicked".to_owned());
    }
    println!("result {report}");
    for violation in &report.violations {
        println!("violation: {violation}");
    }
    assert!(report.violations.is_empty(), "seed {seed} breaks promises");
}

#[test]
fn every_seed_keeps_the_promises() {
    let seeds = asked();
    let lines = many(seeds.clone(), Bug::None, |_| false);
    let bad: Vec<&Line> = lines.iter().filter(|it| !it.is_good).collect();
    let sum = |name: &str| -> u64 {
        let values = lines.iter().filter_map(|it| value(it.result()?, name));
        values.sum()
    };
    println!(
        "seeds {seeds:?}: {} operations, {} acknowledged, {} faults, {} elections, {} simulated seconds",
        sum("operations"),
        sum("acknowledged"),
        sum("faults"),
        sum("elections"),
        sum("seconds")
    );
    for line in &bad {
        let end: Vec<&str> = line.text.lines().rev().take(30).collect();
        for text in end.iter().rev() {
            println!("{text}");
        }
        println!(
            "seed {} fails; again: make simulate SEEDS={}..{}\n",
            line.seed, line.seed, line.seed
        );
    }
    let seeds: Vec<u64> = bad.iter().map(|it| it.seed).collect();
    assert!(seeds.is_empty(), "these seeds break promises: {seeds:?}");
}

fn value(result: &str, name: &str) -> Option<u64> {
    let mut words = result.split(' ').filter_map(|it| it.split_once('='));
    words.find(|(key, _)| *key == name)?.1.parse().ok()
}

#[test]
fn a_seed_is_always_the_same_run() {
    for seed in [1, 2, 3, 42] {
        let (first, second) = (one(seed, Bug::None), one(seed, Bug::None));
        assert!(first.result().is_some(), "{}", first.text);
        assert_eq!(first.result(), second.result(), "seed {seed}");
    }
}

fn is_found(bug: Bug, by: &str) {
    let finds = |line: &Line| !line.is_good && line.text.contains(by);
    let lines = many(1..TRIED, bug, finds);
    let found = lines.iter().find(|it| finds(it));
    let found = found.unwrap_or_else(|| panic!("{} was not found by any seed", bug.name()));
    println!("{} is found by seed {}", bug.name(), found.seed);
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    is_found(Bug::AckBeforeSync, "violation: ");
}

#[test]
fn a_vote_that_is_not_synced_is_found() {
    is_found(Bug::VoteIsNotSynced, "violation: ");
}

#[test]
fn a_read_that_trusts_a_clock_is_found() {
    is_found(Bug::ReadByLease, "linearizability");
}

#[test]
fn a_lease_that_outlives_a_suspended_host_is_found() {
    is_found(Bug::SleepUnnoticed, "linearizability");
}
