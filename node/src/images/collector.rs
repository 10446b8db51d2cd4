//! Drops images that nobody needs any more, now and then.

use std::sync::Arc;
use std::time::Duration;

use agent::Containerd;
use planner::{CollectLimits, needed_images};
use raft::Cluster;
use tokio::time::{MissedTickBehavior, interval};

use crate::adapters::chain;

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_secs(15);
/// A node that has heard nothing for so long may not know what is needed.
const STALE: Duration = Duration::from_secs(5);

/// Runs for as long as the node does.
pub(crate) async fn run(cluster: Cluster, runtime: Arc<Containerd>) {
    let limits = CollectLimits::default();
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Not at once: what was running is adopted first.
    tick.tick().await;
    loop {
        tick.tick().await;
        while cluster.staleness().is_some_and(|it| it < STALE) {
            let needed = needed_images(&cluster.local());
            match runtime.collect(&needed, &limits).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "images that nobody needs are dropped later");
                    break;
                }
            }
        }
    }
}
