//! From the change feed to the host: the proxy's table and the agent's view.

use std::sync::Arc;
use std::time::Duration;

use agent::Wanted;
use model::{Change, DeploymentId, Key, NodeId, NodeView, Resource, State, node_view, standby_for};
use planner::{RouteTable, reroute, routes};
use proxy::ProxyHandle;
use raft::{Batch, Cluster, Event};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long a node that starts waits for the cluster's word before its proxy answers by what it remembers.
const REMEMBER_AFTER: Duration = Duration::from_secs(3);
/// How often it is looked at which images to have in case another host is lost.
const STAND_BY: Duration = Duration::from_secs(10);

/// What the proxy begins with. A node that was away remembers replicas that are not wanted any more, perhaps still
/// running here; so it takes no requests until it has caught up. Without a majority, what it remembers has to do.
pub(crate) async fn first_table(cluster: &Cluster) -> RouteTable {
    let state = match timeout(REMEMBER_AFTER, catch_up(cluster)).await {
        Ok(state) => state,
        Err(_) => {
            tracing::warn!("the cluster gives no answer; requests are routed by what this node remembers");
            cluster.local()
        }
    };
    routes(&state, cluster.node_id())
}

/// Publishes a new table to the proxy with each change that reaches one of its entries. Ends when the node stops; the
/// proxy then keeps its last table.
pub(crate) async fn program_routes(cluster: Cluster, proxy: Arc<ProxyHandle>) {
    let me = cluster.node_id();
    let mut feed = cluster.watch();
    let mut table = routes(&cluster.local(), me);
    proxy.publish(table.clone());
    while let Ok(event) = feed.next().await {
        table = match event {
            Event::Changes(batch) => follow(&table, &batch, me),
            Event::Relist => routes(&cluster.local(), me),
        };
        proxy.publish(table.clone());
    }
}

/// The first table was read after the feed was taken, so its first batches may be part of it already. Applying them
/// again would take back what came later.
fn follow(table: &RouteTable, batch: &Batch, me: NodeId) -> RouteTable {
    if batch.after.revision() <= table.revision {
        return table.clone();
    }
    if batch.before.revision() < table.revision {
        return routes(&batch.after, me);
    }
    reroute(table, &batch.before, &batch.after, me, &batch.changes)
}

/// Feeds the agent with what this host should run. Nothing may be started until this node has caught up with the
/// cluster once: what it remembers may be long past.
pub(crate) async fn program_agent(cluster: Cluster, wanted: watch::Sender<Wanted>) {
    let me = cluster.node_id();
    let mut feed = cluster.watch();
    wanted.send_replace(Wanted {
        view: view(&cluster.local(), me, &[]),
        may_start: false,
    });
    let mut state = catch_up(&cluster).await;
    let mut look = interval(STAND_BY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut standby = Vec::new();
    loop {
        wanted.send_if_modified(|now| {
            let next = Wanted {
                view: view(&state, me, &standby),
                may_start: true,
            };
            let is_same = next.view.assignments == now.view.assignments && next.view.standby == now.view.standby;
            let differs = !is_same || !now.may_start;
            if differs {
                *now = next;
            }
            differs
        });
        state = loop {
            let event = tokio::select! {
                event = feed.next() => event,
                _ = look.tick() => {
                    let now = cluster.local();
                    standby = planner::standby(&now, me);
                    break now;
                }
            };
            match event {
                Ok(Event::Changes(batch)) if batch.changes.iter().any(|it| concerns(it, &batch, me)) => {
                    break batch.after;
                }
                Ok(Event::Changes(_)) => {}
                Ok(Event::Relist) => break cluster.local(),
                Err(_) => return,
            }
        };
    }
}

/// The agent keeps what runs until then; there is no reason to give up, and each try has its own deadline.
async fn catch_up(cluster: &Cluster) -> State {
    loop {
        match cluster.read().await {
            Ok(state) => return state,
            Err(error) => tracing::warn!(%error, "this node has not caught up with its cluster yet"),
        }
        // An unreachable cluster may answer at once; the next try is worth making when something has changed.
        let mut leadership = cluster.leadership();
        let _ = timeout(Duration::from_secs(1), leadership.changed()).await;
    }
}

fn concerns(change: &Change, batch: &Batch, me: NodeId) -> bool {
    let here = |id| {
        let on = |state: &State| state.replica(id).is_some_and(|it| it.node == me);
        on(&batch.before) || on(&batch.after)
    };
    let opens = |state: &State, secret| {
        let mut services = state.replicas_on(me).map(|it| it.service);
        services.any(|it| state.settings_of(it).registry_secret == Some(secret))
    };
    let runs = |service| batch.after.replicas_on(me).any(|here| here.service == service);
    match change {
        Change::Put(Resource::Replica(it)) => here(it.id),
        Change::Delete(Key::Replica(id)) => here(*id),
        // Images are fetched with what it holds now.
        Change::Put(Resource::SecretItem(it)) => opens(&batch.after, it.secret),
        Change::Delete(Key::SecretItem(id)) => {
            let item = batch.before.secret_item(*id);
            item.is_some_and(|it| opens(&batch.after, it.secret))
        }
        Change::Put(Resource::ServiceSettings(it)) => runs(it.id),
        Change::Delete(Key::ServiceSettings(id)) => runs(*id),
        Change::Put(Resource::ImagePin(it)) => batch.after.replicas_on(me).any(|here| here.deployment == it.id),
        // The last node that was too old for pins may have become newer, or be gone.
        Change::Put(Resource::Node(_)) | Change::Delete(Key::Node(_)) => {
            batch.before.pins_images() != batch.after.pins_images()
        }
        // A deployment that goes takes its replicas' specs with it; they are marked in the same batch.
        Change::Put(_) | Change::Delete(_) => false,
    }
}

/// What of `standby` has gone meanwhile is left out.
fn view(state: &State, me: NodeId, standby: &[DeploymentId]) -> Arc<NodeView> {
    let mut view = node_view(state, me);
    view.standby = standby.iter().filter_map(|it| standby_for(state, *it)).collect();
    Arc::new(view)
}
