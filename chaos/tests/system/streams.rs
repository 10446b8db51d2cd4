//! Day-to-day work with containers that run, by the command line: logs, commands beside replicas, deployments.

mod deploy;
mod exec;
mod logs;

use std::process::Output;

use chaos::lab::{HostProcess, Program};
use chaos::paths;

use crate::common::PATIENCE;
use crate::fixture::Fixture;

const HOSTNAME: &str = "web.example.test";

/// Runs the program on a host, as a client of its own node.
fn goblins(it: &Fixture, host: u8, words: &[&str]) -> Output {
    shell(it, host, &format!("\"$GOBLINS\" {}", words.join(" ")))
}

/// Runs a line of shell on a host, where `$GOBLINS` is the program.
fn shell(it: &Fixture, host: u8, line: &str) -> Output {
    let (api, key) = (it.cluster.url(host, 7400).unwrap(), it.cluster.key());
    let program = paths::goblins().unwrap();
    let settings = [
        format!("GOBLINS={}", program.display()),
        format!("GOBLINS_API={api}"),
        format!("GOBLINS_API_KEY={key}"),
    ];
    let mut words = vec!["env"];
    words.extend(settings.iter().map(String::as_str));
    words.extend(["sh", "-c", line]);
    it.lab.exec(host, &words, PATIENCE).unwrap()
}

/// Starts the program on a host; what it prints goes to a file.
fn spawn(it: &Fixture, host: u8, name: &str, words: &[&str]) -> HostProcess {
    let log = it.lab.state().join(format!("{name}.log"));
    let program = Program::new(paths::goblins().unwrap(), log)
        .args(words)
        .env("GOBLINS_API", it.cluster.url(host, 7400).unwrap())
        .env("GOBLINS_API_KEY", it.cluster.key());
    it.lab.spawn(host, &program).unwrap()
}

fn printed(process: &HostProcess) -> String {
    std::fs::read_to_string(process.log()).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it printed; it must have ended with 0.
#[track_caller]
fn said(output: &Output) -> String {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
