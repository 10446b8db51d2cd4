//! What a run leaves behind: figures as JSON, the whole history, and a picture of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::{Value, json};

use super::{Plan, Run, RunError, timeline};
use crate::history::{Event, Micros, Op, Outcome};

/// The folder that reports go to unless another is asked for: `chaos-report` in cargo's target folder.
pub fn default_folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| PathBuf::from("target")).join("chaos-report")
}

/// Writes `report.json`, `history.json` and `timeline.svg`, and the ends of the logs where something was wrong.
pub fn write(folder: &Path, plan: &Plan, run: &Run) -> Result<(), RunError> {
    let put = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).map_err(|error| RunError::Report(path, error))
    };
    fs::create_dir_all(folder).map_err(|error| RunError::Report(folder.to_owned(), error))?;
    put(
        "report.json",
        &serde_json::to_vec_pretty(&summary(plan, run)).unwrap_or_default(),
    )?;
    put("history.json", &serde_json::to_vec(&run.history).unwrap_or_default())?;
    put("timeline.svg", timeline::draw(plan, run).as_bytes())?;
    if !run.logs.is_empty() {
        put("logs.txt", run.logs.as_bytes())?;
    }
    Ok(())
}

/// The command that runs the same plan again.
pub fn replay(plan: &Plan) -> String {
    let kinds: Vec<String> = plan.kinds.iter().map(ToString::to_string).collect();
    format!(
        "chaos run --seed {} --seconds {} --hosts {} --faults {}",
        plan.seed,
        plan.length.as_secs(),
        plan.hosts,
        if kinds.is_empty() {
            "none".to_owned()
        } else {
            kinds.join(",")
        }
    )
}

fn summary(plan: &Plan, run: &Run) -> Value {
    let mut counts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for event in &run.history.events {
        *counts
            .entry(word(&event.op))
            .or_default()
            .entry(outcome(event).0)
            .or_default() += 1;
        if let Some(why) = outcome(event).1 {
            *reasons.entry(why.chars().take(90).collect()).or_default() += 1;
        }
    }
    let leaders = &run.history.leaders;
    let changes = leaders.windows(2).filter(|pair| pair[0].term != pair[1].term).count();
    json!({
        "replay": replay(plan),
        "seed": plan.seed,
        "seconds": plan.length.as_secs(),
        "nodes": plan.hosts,
        "operations": run.history.events.len(),
        "outcomes": counts,
        "reasons": reasons,
        "longest_time_without_a_write_ms": longest_gap(run) / 1000,
        "term_changes": changes,
        "faults": run.history.faults,
        "violations": run.violations,
    })
}

/// For a person.
pub fn text(plan: &Plan, run: &Run) -> String {
    let summary = summary(plan, run);
    let mut text = format!(
        "{} operations, {} faults, {} changes of term, at most {} ms without a write\n",
        summary["operations"],
        run.history.faults.len(),
        summary["term_changes"],
        summary["longest_time_without_a_write_ms"]
    );
    for (op, outcomes) in summary["outcomes"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "  {op:9} {outcomes}");
    }
    for violation in &run.violations {
        let _ = writeln!(text, "VIOLATION of {}: {}", violation.check, violation.what);
    }
    if run.violations.is_empty() {
        text += "no violation: registers linearizable, creates unique and kept, counts right\n";
    } else {
        let _ = writeln!(text, "again: {}", replay(plan));
    }
    text
}

/// The longest time between two acknowledged writes of anybody.
fn longest_gap(run: &Run) -> Micros {
    let writes = run
        .history
        .events
        .iter()
        .filter(|event| !matches!(event.op, Op::Read { .. } | Op::Count));
    let acknowledged = writes.filter(|event| matches!(event.outcome, Outcome::Ok { .. }));
    let mut times: Vec<Micros> = acknowledged.map(|event| event.ended).collect();
    times.sort_unstable();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

fn word(op: &Op) -> &'static str {
    match op {
        Op::Read { .. } => "read",
        Op::Write { .. } => "write",
        Op::Create { .. } => "create",
        Op::Increment => "increment",
        Op::Count => "count",
    }
}

fn outcome(event: &Event) -> (&'static str, Option<&str>) {
    match &event.outcome {
        Outcome::Ok { .. } => ("ok", None),
        Outcome::Fail { why } => ("fail", Some(why)),
        Outcome::Unknown { why } => ("unknown", Some(why)),
    }
}
