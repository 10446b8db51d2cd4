//! The demo: a cluster of three hosts runs a service, loses the leader's host, and goes on; with how long each step took.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::client::ClientError;
use crate::cluster::{Cluster, ClusterError};
use crate::image::ImageError;
use crate::lab::{Lab, LabError};
use crate::registry::RegistryError;

mod figures;
mod load;
mod scenario;
mod screen;

use figures::Figures;
use screen::Screen;

/// How long a step may take before the demo says that it failed. The figures to reach are far below.
const STEP_DEADLINE: Duration = Duration::from_secs(60);
const LOG_LINES: usize = 25;

/// Why the demo did not show what it should.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The hosts could not be made.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The daemons did not do their part.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A request failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The image could not be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image could not be served.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Something did not happen in time.
    #[error("this did not happen within {STEP_DEADLINE:?}: {what}; last seen: {seen}")]
    NotInTime {
        /// What was waited for.
        what: String,
        /// What was there instead.
        seen: String,
    },
    /// Requests or writes did not go on.
    #[error("{0}")]
    Interrupted(String),
    /// The async runtime could not be started.
    #[error("cannot start the async runtime")]
    Runtime(#[source] io::Error),
}

/// The folder of the demo's disks and logs.
fn folder() -> PathBuf {
    PathBuf::from("/var/lib/goblins-demo")
}

/// Runs the demo and leaves its cluster up. One that is up already is stopped first.
pub fn run() -> Result<(), DemoError> {
    let screen = Screen::new();
    if stop_all()? {
        screen.say("stopped the demo that was still up");
    }
    let (lab, result) = run_on_new_lab(&screen, true)?;
    match result {
        Ok((cluster, figures)) => {
            screen.say(&figures.to_string());
            screen.say(&left_running(&cluster)?);
            Ok(())
        }
        Err(error) => {
            screen.fail();
            for host in lab.running() {
                let log = lab.disk(host).join("goblins.log");
                let tail = crate::lab::tail(&log, LOG_LINES);
                screen.say(&format!("--- the end of {}\n{tail}", log.display()));
            }
            screen.say("What is up is left as it is, to look at; `make demo-stop` removes it.");
            Err(error)
        }
    }
}

/// Runs the same steps for their figures alone, and removes everything.
pub fn bench() -> Result<(), DemoError> {
    let screen = Screen::new();
    let (lab, result) = run_on_new_lab(&screen, false)?;
    if result.is_err() {
        screen.fail();
    }
    let (_, figures) = result?;
    screen.say(&figures.to_string());
    lab.down()?;
    Ok(())
}

/// Stops the demo and removes all of it, also after a demo that failed or was killed half way.
pub fn stop() -> Result<(), DemoError> {
    let screen = Screen::new();
    let stopped = stop_all()?;
    screen.say(if stopped {
        "the demo is stopped and removed"
    } else {
        "no demo is up"
    });
    Ok(())
}

type Outcome = Result<(Cluster, Figures), DemoError>;

fn run_on_new_lab(screen: &Screen, keep: bool) -> Result<(Lab, Outcome), DemoError> {
    let runtime = tokio::runtime::Runtime::new().map_err(DemoError::Runtime)?;
    let folder = keep.then(folder);
    let mut lab = Lab::up(3, folder.as_deref())?;
    if keep {
        lab.keep()?;
    }
    let result = runtime.block_on(scenario::run(&mut lab, screen));
    Ok((lab, result))
}

fn stop_all() -> Result<bool, DemoError> {
    let mut any = false;
    for record in Lab::list().into_iter().filter(|record| record.state == folder()) {
        Lab::attach(record.number)?.down()?;
        any = true;
    }
    Ok(any)
}

fn left_running(cluster: &Cluster) -> Result<String, DemoError> {
    let mut text = String::from("The cluster is left running. From this machine:\n");
    let mut last = String::new();
    for host in cluster.hosts() {
        if !cluster.daemon(host)?.id().alive() {
            text += &format!("  host {host}   is off (power lost)\n");
            continue;
        }
        last = cluster.url(host, crate::cluster::API_PORT)?;
        let proxy = cluster.url(host, crate::cluster::HTTP_PORT)?;
        text += &format!("  host {host}   API {last}   proxy {proxy}\n");
        text += &format!("           curl -H 'Host: {}' {proxy}/\n", scenario::HOSTNAME);
    }
    text += &format!("  export GOBLINS_API={last} GOBLINS_API_KEY={}\n", cluster.key());
    text += "  curl -H \"X-API-Key: $GOBLINS_API_KEY\" $GOBLINS_API/api/services/\n";
    text += "`make demo-stop` stops and removes it.";
    Ok(text)
}
