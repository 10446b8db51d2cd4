//! What the leader does on its own: judging nodes, rolling out, keeping services up.
//!
//! One loop, woken by changes and by time. It reads the state, asks the planner, and submits commands that carry the
//! revision they were planned from, so a plan that came too late does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::{Actor, Change, Command, Key, NodeId, Resource, ServiceId, State};
use planner::{LastSeen, Loads, ServicePlan, liveness, plan_service};
use raft::{Batch, Cluster, Event, Leases, SubmitError};
use tokio::time::{MissedTickBehavior, interval};

use crate::adapters::{chain, now};

/// A node that has not renewed its lease for this long is down.
const LEASE: Duration = Duration::from_secs(3);
/// How often leases are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Everything is planned anew this often, whatever was heard.
const RESYNC: Duration = Duration::from_secs(30);

/// Runs for as long as the node does; acts only while it leads.
pub(crate) async fn run(cluster: Cluster) {
    let mut feed = cluster.watch();
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut agenda = Agenda::default();
    let mut leading_term = None;
    loop {
        tokio::select! {
            event = feed.next() => match event {
                Ok(Event::Changes(batch)) => agenda.note(&batch),
                Ok(Event::Relist) => agenda.everything(),
                Err(_) => return,
            },
            _ = tick.tick() => {}
        }
        let Some(leases) = cluster.leases() else {
            leading_term = None;
            continue;
        };
        // What happened while another led was that leader's business: look at everything once.
        if leading_term.replace(leases.term) != Some(leases.term) {
            agenda.everything();
        }
        judge(&cluster, &leases).await;
        work_off(&cluster, &mut agenda).await;
    }
}

async fn judge(cluster: &Cluster, leases: &Leases) {
    let at = Instant::now();
    let seen: BTreeMap<NodeId, LastSeen> = leases
        .by_node
        .iter()
        .map(|(id, it)| {
            (
                *id,
                LastSeen {
                    ago: at.saturating_duration_since(it.renewed),
                    boot: it.boot,
                },
            )
        })
        .collect();
    let leading_for = at.saturating_duration_since(leases.leading_since);
    for verdict in liveness(&cluster.local(), &seen, leading_for, LEASE) {
        tracing::warn!(?verdict, "verdict on a node");
        submit(cluster, verdict).await;
    }
}

async fn work_off(cluster: &Cluster, agenda: &mut Agenda) {
    let state = cluster.local();
    let mut loads = None;
    for id in agenda.due(&state) {
        let plan = plan_service(&state, id, &mut loads, now());
        let ServicePlan { actions, look_again } = plan;
        agenda.settle(id, look_again);
        let Some(service) = state.service(id).filter(|_| !actions.is_empty()) else {
            continue;
        };
        tracing::info!(service = %service.name, ?actions, "plan");
        let command = Command::ApplyPlan {
            service: id,
            seen: service.touched,
            actions,
        };
        if !submit(cluster, command).await {
            agenda.settle(id, Some(Duration::from_millis(100)));
            // Other plans of this round counted on its placements.
            loads = None::<Loads>;
        }
    }
}

/// A refusal means that the plan came too late; the change that it missed is on its way here. Anything else means
/// that this node may lead no longer.
async fn submit(cluster: &Cluster, command: Command) -> bool {
    match cluster.submit(Actor::System, command).await {
        Ok(_) => true,
        Err(SubmitError::Rejected(rejection)) => {
            tracing::debug!(%rejection, "a plan came too late");
            false
        }
        Err(error) => {
            tracing::warn!(
                error = chain(&error),
                "a plan could not be carried out; it is made again"
            );
            false
        }
    }
}

/// Which services are to be planned, and when.
#[derive(Debug, Default)]
struct Agenda {
    changed: BTreeSet<ServiceId>,
    all: bool,
    everything_at: Option<Instant>,
    later: BTreeMap<ServiceId, Instant>,
}

impl Agenda {
    fn everything(&mut self) {
        self.all = true;
    }

    fn note(&mut self, batch: &Batch) {
        for change in batch.changes.iter() {
            match change {
                Change::Put(Resource::Service(it)) => drop(self.changed.insert(it.id)),
                Change::Put(Resource::Replica(it)) => drop(self.changed.insert(it.service)),
                // A stopped replica frees room, a node brings or takes some: whoever waits for room looks again.
                Change::Delete(Key::Replica(_)) => self.changed.extend(self.later.keys()),
                Change::Put(Resource::Node(it)) => {
                    self.changed.extend(self.later.keys());
                    self.changed.extend(batch.after.replicas_on(it.id).map(|it| it.service));
                }
                Change::Put(_) | Change::Delete(_) => {}
            }
        }
    }

    fn due(&mut self, state: &State) -> Vec<ServiceId> {
        let at = Instant::now();
        if self.all || self.everything_at.is_none_or(|it| it <= at) {
            self.all = false;
            self.everything_at = Some(at + RESYNC);
            self.changed.clear();
            return state.services().map(|it| it.id).collect();
        }
        let mut due = std::mem::take(&mut self.changed);
        due.extend(self.later.iter().filter(|(_, when)| **when <= at).map(|(id, _)| *id));
        due.into_iter().collect()
    }

    fn settle(&mut self, id: ServiceId, look_again: Option<Duration>) {
        match look_again {
            Some(span) => drop(self.later.insert(id, Instant::now() + span)),
            None => drop(self.later.remove(&id)),
        }
    }
}
