//! When this node takes a snapshot. It costs as much as there is of the state, whatever has changed: the larger the state,
//! the more entries have to come before the next one pays.

use std::sync::Arc;

use openraft::LogIdOptionExt;
use openraft::async_runtime::WatchReceiver;

use crate::cluster::Core;

/// So many resources in a snapshot put the next one off by an entry. A quarter of the state has changed by then at most.
const RESOURCES_AN_ENTRY: u64 = 4;

/// Takes snapshots as long as this node runs.
pub(crate) async fn run(core: Arc<Core>) {
    loop {
        let due = due(&core);
        core.published.progress().reach(due).await;
        // The leader may have sent one meanwhile.
        if self::due(&core) > due {
            continue;
        }
        // An error means that consensus has stopped.
        if core.raft.trigger().snapshot().await.is_err() || !taken(&core, due).await {
            return;
        }
    }
}

/// Waits for a snapshot up to an entry. False if consensus stops before.
async fn taken(core: &Core, index: u64) -> bool {
    let mut metrics = core.raft.data_metrics();
    while metrics.borrow_and_update().snapshot.index() < Some(index) {
        if metrics.changed().await.is_err() {
            return false;
        }
    }
    true
}

/// The entry with which the next one is due.
fn due(core: &Core) -> u64 {
    let newest = core.snapshots.newest().map(|it| it.header);
    let (last, resources) = newest.map_or((0, 0), |it| (it.meta.revision.0, it.resources));
    last + pause(core.timing.snapshot_after, resources)
}

/// Entries between a snapshot of so many resources and the next.
fn pause(least: u64, resources: u64) -> u64 {
    least.max(resources / RESOURCES_AN_ENTRY).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_is_written_out_less_often() {
        assert_eq!(pause(10_000, 0), 10_000);
        assert_eq!(pause(10_000, 40_000), 10_000);
        assert_eq!(pause(10_000, 1_000_000), 250_000);
        assert_eq!(pause(0, 0), 1);
    }
}
