//! Tells the leader that this node is alive.

use std::sync::Arc;

use bytes::Bytes;

use crate::cluster::Core;
use crate::proto::HeartbeatRequest;
use crate::proto::cluster_client::ClusterClient;
use crate::transport::{self, Purpose};

/// Renews this node's lease for as long as the node runs, at once when the leader changes.
pub(crate) async fn run(core: Arc<Core>) {
    let mut leadership = core.leadership.clone();
    let mut ticks = tokio::time::interval(core.timing.lease_renewal);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = leadership.changed() => if changed.is_err() { return },
            () = core.stop.cancelled() => return,
        }
        let seen = *leadership.borrow_and_update();
        if seen.is_self {
            continue;
        }
        let renewed = match seen.leader {
            Some(leader) => renew(&core, leader.0).await,
            None => Err("no leader is known".to_owned()),
        };
        if let Err(reason) = renewed {
            tracing::debug!(reason, "cannot renew the lease");
            // Perhaps this node was removed while it was away: then whoever leads has nothing to say to it any more, but
            // every member tells it so when it calls.
            if let Some(other) = core.links.any_other(asked) {
                asked = Some(other);
                let _ = renew(&core, other).await;
            }
        }
    }
}

async fn renew(core: &Core, leader: u64) -> Result<(), String> {
    let address = core.links.address_of(leader).ok_or("its address is not known")?;
    let link = core.links.to(leader, &address, Purpose::Service);
    let mut client = ClusterClient::new(link.channel().map_err(|it| transport::describe(&it))?);
    let boot = Bytes::copy_from_slice(core.draft.boot.as_bytes());
    let request = HeartbeatRequest {
        route: Some(core.links.route(leader)),
        boot,
        full: core.room.is_full(),
    };
    match tokio::time::timeout(core.timing.lease_renewal, client.heartbeat(request)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(status)) => {
            core.links.heed(&status);
            Err(transport::describe(&status))
        }
        Err(_) => {
            link.reset();
            Err("no answer in time".to_owned())
        }
    }
}
