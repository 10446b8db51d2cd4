//! `chaos run`: faults by a seed, clients that write down what they see, a judgement.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chaos::fault::Kind;
use chaos::run::{Plan, carry_out, report};
use clap::Args;

#[derive(Debug, Args)]
pub struct RunCommand {
    /// Decides which faults strike when.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long clients work, in each round.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The kinds of faults, with commas between them; `all`, or `none`.
    #[arg(long, default_value = "all", value_delimiter = ',')]
    faults: Vec<String>,
    /// How many nodes.
    #[arg(long, default_value_t = 3)]
    hosts: u8,
    /// Goes on with the next seeds until so many seconds are over.
    #[arg(long)]
    total_seconds: Option<u64>,
    /// Where the reports go [default: `chaos-report` in cargo's target folder].
    #[arg(long)]
    report: Option<PathBuf>,
}

pub fn run(command: RunCommand) -> anyhow::Result<()> {
    let kinds = kinds(&command.faults)?;
    let folder = command.report.unwrap_or_else(report::default_folder);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    let end = Instant::now() + Duration::from_secs(command.total_seconds.unwrap_or(0));
    let mut seed = command.seed;
    let mut bad = Vec::new();
    loop {
        let plan = Plan {
            seed,
            length: Duration::from_secs(command.seconds),
            kinds: kinds.clone(),
            hosts: command.hosts,
            ..Plan::default()
        };
        println!("== {}", report::replay(&plan));
        let run = runtime.block_on(carry_out(&plan))?;
        let folder = folder.join(format!("seed-{seed}"));
        report::write(&folder, &plan, &run)?;
        print!("{}", report::text(&plan, &run));
        println!("report: {}", folder.join("timeline.svg").display());
        if !run.violations.is_empty() {
            bad.push(seed);
        }
        seed += 1;
        // A round takes a little longer than its clients work.
        if Instant::now() + plan.length.mul_f64(1.3) > end {
            break;
        }
    }
    if !bad.is_empty() {
        bail!("violations with the seeds {bad:?}");
    }
    Ok(())
}

fn kinds(words: &[String]) -> anyhow::Result<Vec<Kind>> {
    match words {
        [word] if word == "all" => Ok(Kind::ALL.to_vec()),
        [word] if word == "none" => Ok(Vec::new()),
        words => Ok(words.iter().map(|word| word.parse()).collect::<Result<_, _>>()?),
    }
}
