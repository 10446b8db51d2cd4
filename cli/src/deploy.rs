//! `goblins deploy`, `rollback`, `scale` and `restart`: what begins a deployment, and waits for its end.

mod change;
mod progress;
mod wait;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::client::Client;
use crate::command::{Connection, client, span};
use crate::table::plain;
use crate::workload::{self, Kind, Workload};
use change::ChangeArgs;
use wait::{GAVE_UP, Waited, wait};

/// Whether to wait for the end of a deployment.
#[derive(Clone, Debug, Args)]
pub struct WaitArgs {
    /// End as soon as the deployment has begun
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Wait until it has ended; the default
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) wait: bool,
    /// How long to wait at most; the deployment goes on after that
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span)]
    pub(crate) timeout: Duration,
    /// Print nothing but what went wrong
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Flags of `goblins deploy`.
#[derive(Clone, Debug, Args)]
pub struct DeployArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker
    pub(crate) service: String,
    /// What is to be different
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// Whether to wait
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Flags of `goblins rollback`.
#[derive(Clone, Debug, Args)]
pub struct RollbackArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker
    pub(crate) service: String,
    /// Bring this version back [default: the last one before the newest that succeeded]
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<u64>,
    /// A note for the deployment
    #[arg(long, value_name = "TEXT")]
    pub(crate) notes: Option<String>,
    /// Whether to wait
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Flags of `goblins restart`.
#[derive(Clone, Debug, Args)]
pub struct RestartArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Name or id of a service or worker
    pub(crate) service: String,
    /// A note for the deployment
    #[arg(long, value_name = "TEXT")]
    pub(crate) notes: Option<String>,
    /// Whether to wait
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Flags of `goblins scale`.
#[derive(Clone, Debug, Args)]
pub struct ScaleArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Services or workers, and how many replicas of each are wanted
    #[arg(required = true, value_name = "SERVICE=N", value_parser = scale_of)]
    pub(crate) targets: Vec<(String, u8)>,
    /// Whether to wait
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

pub(crate) async fn deploy(args: DeployArgs) -> Result<u8> {
    let client = client(args.connection)?;
    let all = workload::all(&client).await?;
    let is_there = all
        .iter()
        .any(|it| it.name() == args.service || it.id() == args.service);
    let changed = if !is_there && args.change.create {
        let (kind, body) = args.change.creation(&args.service)?;
        let shown = client.post(&format!("/api/{}/", kind.path()), &body).await?;
        Workload { kind, shown }
    } else {
        let found = workload::pick(all, &args.service);
        let found = found.context("cannot deploy; --create with --image and --port (or --worker) makes a new one")?;
        let (shown, tag) = client.get_tagged(&found.path()).await?;
        let body = args.change.patch(&shown)?;
        let shown = client.patch_tagged(&found.path(), &body, tag.as_deref()).await?;
        Workload { shown, ..found }
    };
    follow(&client, &changed, &args.wait).await
}

pub(crate) async fn rollback(args: RollbackArgs) -> Result<u8> {
    let client = client(args.connection)?;
    let found = workload::find(&client, &args.service).await?;
    let deployments = client.list(&format!("{}deployments/", found.path())).await?;
    let current = found.shown["version"].as_u64().unwrap_or(u64::MAX);
    let chosen = choose(&deployments, current, args.to)?;
    let path = format!("/api/deployments/{}/rollback/", plain(&chosen["id"]));
    let made = client.post(&path, &notes(args.notes)).await?;
    follow_one(&client, &found, &made, &args.wait).await
}

pub(crate) async fn restart(args: RestartArgs) -> Result<u8> {
    let client = client(args.connection)?;
    let found = workload::find(&client, &args.service).await?;
    let made = client
        .post(&format!("{}restart/", found.path()), &notes(args.notes))
        .await?;
    follow_one(&client, &found, &made, &args.wait).await
}

/// All of them are changed before any is waited for. The worst code is the answer.
pub(crate) async fn scale(args: ScaleArgs) -> Result<u8> {
    let client = client(args.connection)?;
    let all = workload::all(&client).await?;
    let mut found = Vec::new();
    for (name, count) in &args.targets {
        found.push((workload::pick(all.clone(), name)?, *count));
    }
    let mut changed = Vec::new();
    for (it, count) in found {
        let shown = client.patch(&it.path(), &json!({ "replicas_target": count })).await?;
        changed.push(Workload { shown, ..it });
    }
    let mut worst = 0;
    for it in &changed {
        worst = worst.max(follow(&client, it, &args.wait).await?);
    }
    Ok(worst)
}

fn notes(notes: Option<String>) -> Value {
    notes.map_or_else(|| json!({}), |it| json!({ "notes": it }))
}

/// Follows the newest deployment of a service as it was answered.
async fn follow(client: &Client, it: &Workload, args: &WaitArgs) -> Result<u8> {
    let id = plain(&it.shown["deployment"]);
    let version = plain(&it.shown["version"]);
    conclude(client, it, &id, &version, args).await
}

/// Follows a deployment as it was answered.
async fn follow_one(client: &Client, it: &Workload, made: &Value, args: &WaitArgs) -> Result<u8> {
    conclude(client, it, &plain(&made["id"]), &plain(&made["version_number"]), args).await
}

async fn conclude(client: &Client, it: &Workload, id: &str, version: &str, args: &WaitArgs) -> Result<u8> {
    let title = format!("{} version {version}", it.name());
    if args.no_wait {
        if !args.quiet {
            println!("{title} has begun; `goblins ps {}` shows how it goes", it.name());
        }
        return Ok(0);
    }
    let mut progress = progress::Progress::new(&title, args.quiet);
    let waited = wait(client, it, id, args.timeout, &mut progress).await;
    progress.end();
    match waited {
        Waited::Succeeded { ready } => {
            if !args.quiet {
                println!("{title} is deployed: {ready} of {ready} replicas are ready");
            }
            Ok(0)
        }
        Waited::Failed(why) => {
            eprintln!("goblins: {title} has failed: {why}");
            eprintln!(
                "goblins: `goblins logs {0}` shows what it printed, `goblins ps {0}` what runs now",
                it.name()
            );
            Ok(1)
        }
        Waited::GaveUp(why) => {
            eprintln!("goblins: gave up waiting for {title}: {why}");
            Ok(GAVE_UP)
        }
    }
}

/// The deployment to go back to.
fn choose(all: &[Value], current: u64, to: Option<u64>) -> Result<&Value> {
    if let Some(wanted) = to {
        return named_version(all, wanted);
    }
    let good = all
        .iter()
        .filter(|it| it["status"] == "success" && version_of(it) < current);
    match good.max_by_key(|it| version_of(it)) {
        Some(it) => Ok(it),
        None => bail!("no version before {current} has succeeded; name one with --to"),
    }
}

/// The number of a deployment.
pub(crate) fn version_of(deployment: &Value) -> u64 {
    deployment["version_number"].as_u64().unwrap_or(0)
}

/// The deployment with this number.
pub(crate) fn named_version(all: &[Value], wanted: u64) -> Result<&Value> {
    let found = all.iter().find(|it| version_of(it) == wanted);
    found.with_context(|| {
        let versions: Vec<_> = all.iter().map(|it| version_of(it).to_string()).collect();
        format!("there is no version {wanted}; there are: {}", versions.join(", "))
    })
}

fn scale_of(text: &str) -> Result<(String, u8), String> {
    let wrong = || "write SERVICE=N with 1 to 12 replicas, such as web=3".to_owned();
    let (name, count) = text.rsplit_once('=').ok_or_else(wrong)?;
    match count.parse() {
        Ok(count @ 1..=12) if !name.is_empty() => Ok((name.to_owned(), count)),
        _ => Err(wrong()),
    }
}

/// A kind in words, for `--create`.
fn kind_of(is_worker: bool) -> Kind {
    if is_worker { Kind::Worker } else { Kind::Service }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_names_a_service_and_a_count() {
        assert_eq!(scale_of("web=3"), Ok(("web".to_owned(), 3)));
        assert_eq!(scale_of("a=b=12"), Ok(("a=b".to_owned(), 12)));
        for wrong in ["web", "web=", "=3", "web=0", "web=13", "web=-1", "web=x"] {
            assert!(scale_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rollback_goes_to_the_last_good_version_or_the_one_named() {
        let one = |version: u64, status: &str| json!({"id": version, "version_number": version, "status": status});
        let all = [
            one(1, "success"),
            one(2, "success"),
            one(3, "rolled_back"),
            one(4, "failed"),
            one(5, "success"),
        ];
        assert_eq!(choose(&all, 5, None).unwrap()["id"], 2);
        assert_eq!(choose(&all, 6, None).unwrap()["id"], 5);
        assert_eq!(choose(&all, 5, Some(4)).unwrap()["id"], 4);
        assert!(
            choose(&all, 5, Some(9))
                .unwrap_err()
                .to_string()
                .contains("there are: 1, 2, 3, 4, 5")
        );
        assert!(choose(&all[2..4], 4, None).unwrap_err().to_string().contains("--to"));
    }
}
