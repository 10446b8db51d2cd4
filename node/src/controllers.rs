//! What the leader does on its own: judging nodes, rolling out, keeping services up, evening out.
//!
//! One loop, woken by changes and by time. It follows the state through the change feed, asks the planner, and submits
//! commands that carry the revision they were planned from, so a plan that came too late does nothing. What it keeps
//! besides the state, such as how full each node is, it keeps up to date change by change.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::FutureExt;
use model::{Actor, Command, NodeId, PlanAction, Revision, ServiceId, State};
use planner::{Balancing, LastSeen, Loads, ServicePlan, liveness, plan_service, rebalance};
use raft::{Cluster, Event, Leases, SubmitError, Watch, WatchClosed};
use tokio::time::{MissedTickBehavior, interval};

use crate::adapters::{chain, now};
use crate::agenda::Agenda;

/// A node that has not renewed its lease for this long is down.
const LEASE: Duration = Duration::from_secs(3);
/// How often leases are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How much of its lease the leader before may have spent when this one is elected. It is silent since it was last heard of, but
/// if that is long ago it may be there again, and needs time to say so.
const SPENT: Duration = Duration::from_secs(1);
/// How soon a plan that was not carried out is made again.
const MAKE_AGAIN: Duration = Duration::from_millis(100);

/// Runs for as long as the node does; acts only while it leads.
pub(crate) async fn run(cluster: Cluster) {
    // It ends when the node stops.
    let Err(WatchClosed) = Leader::follow(cluster).await;
}

/// From when on a node has to be heard of that has not been yet: from now on, but for the leader before.
fn silent_since(leases: &Leases, node: NodeId, now: Instant) -> Instant {
    match leases.predecessor {
        Some((id, heard)) if id == node => heard.max(now.checked_sub(SPENT).unwrap_or(now)),
        _ => now,
    }
}

/// What a leader knows and means to do.
struct Leader {
    cluster: Cluster,
    feed: Watch,
    /// As far as the feed has been heard.
    state: State,
    /// Those of `state`; nobody keeps them who does not lead.
    loads: Option<Loads>,
    agenda: Agenda,
    balancing: Balancing,
    balance_at: Option<Instant>,
    /// Since when this leader has seen each node in the state.
    known: BTreeMap<NodeId, Instant>,
}

impl Leader {
    async fn follow(cluster: Cluster) -> Result<std::convert::Infallible, WatchClosed> {
        let feed = cluster.watch();
        let mut leader = Self {
            state: cluster.local(),
            cluster,
            feed,
            loads: None,
            agenda: Agenda::default(),
            balancing: Balancing::default(),
            balance_at: None,
            known: BTreeMap::new(),
        };
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut leading_term = None;
        loop {
            tokio::select! {
                event = leader.feed.next() => leader.hear(event?),
                _ = tick.tick() => {}
            }
            while let Some(event) = leader.feed.next().now_or_never() {
                leader.hear(event?);
            }
            let Some(leases) = leader.cluster.leases() else {
                leading_term = None;
                leader.loads = None;
                leader.known.clear();
                continue;
            };
            // What happened while another led was that leader's business: look at everything once.
            if leading_term.replace(leases.term) != Some(leases.term) {
                leader.agenda.everything();
                leader.balancing = Balancing::default();
                leader.known.clear();
            }
            leader.judge(&leases).await;
            leader.work_off().await?;
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Changes(batch) => {
                // The state was read after the feed was taken, so its first batches may be part of it already.
                if batch.after.revision() <= self.state.revision() {
                    return;
                }
                self.agenda.note(&batch);
                match &mut self.loads {
                    Some(loads) if batch.before.revision() >= self.state.revision() => {
                        loads.follow(&batch.before, &batch.after, &batch.changes);
                    }
                    loads => *loads = None,
                }
                self.state = batch.after;
            }
            Event::Relist => {
                self.agenda.everything();
                self.loads = None;
                self.state = self.cluster.local();
            }
        }
    }

    /// Waits until the feed has told what an entry of our own has changed: what is planned next must count on it.
    async fn hear_of(&mut self, revision: Revision) -> Result<(), WatchClosed> {
        while self.state.revision() < revision {
            let event = self.feed.next().await?;
            self.hear(event);
        }
        Ok(())
    }

    async fn judge(&mut self, leases: &Leases) {
        let at = Instant::now();
        let state = self.cluster.local();
        self.known.retain(|id, _| state.node(*id).is_some());
        for node in state.nodes() {
            let since = || silent_since(leases, node.id, at);
            self.known.entry(node.id).or_insert_with(since);
        }
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
        let known_for = |id| {
            self.known
                .get(&id)
                .map_or(Duration::ZERO, |it| at.saturating_duration_since(*it))
        };
        for verdict in liveness(&state, &seen, known_for, LEASE) {
            tracing::warn!(?verdict, "verdict on a node");
            self.submit(verdict).await;
        }
    }

    async fn work_off(&mut self) -> Result<(), WatchClosed> {
        let at = Instant::now();
        let due = self.agenda.due(&self.state, at);
        let state = self.state.clone();
        // With what this round places, until the feed tells of it.
        let mut loads = self.loads.get_or_insert_with(|| Loads::of(&state)).clone();
        let mut newest = Revision::default();
        for id in due {
            let before = loads.clone();
            let ServicePlan { actions, look_again } = plan_service(&state, id, &mut loads, now());
            self.agenda.settle(id, look_again.map(|it| at + it));
            if actions.is_empty() {
                continue;
            }
            match self.carry_out(&state, id, actions).await {
                Some(revision) => newest = newest.max(revision),
                None => {
                    self.agenda.settle(id, Some(Instant::now() + MAKE_AGAIN));
                    loads = before;
                }
            }
        }
        self.hear_of(newest).await?;
        self.even_out().await
    }

    async fn even_out(&mut self) -> Result<(), WatchClosed> {
        if self.agenda.take_new_room() {
            self.balancing.consider(self.state.services().map(|it| it.id));
            self.balance_at = None;
        }
        let at = Instant::now();
        if self.balancing.is_idle() || self.balance_at.is_some_and(|it| it > at) {
            return Ok(());
        }
        let state = self.state.clone();
        let loads = self.loads.get_or_insert_with(|| Loads::of(&state));
        let plan = rebalance(&state, &mut self.balancing, loads, now());
        self.balance_at = plan.look_again.map(|it| at + it);
        let mut newest = Revision::default();
        for it in plan.moves {
            match self.carry_out(&state, it.service, it.actions.clone()).await {
                Some(revision) => newest = newest.max(revision),
                None => self.balancing.withdraw(&it),
            }
        }
        self.hear_of(newest).await
    }

    /// The entry that carries the plan, if it was taken.
    async fn carry_out(&self, state: &State, id: ServiceId, actions: Vec<PlanAction>) -> Option<Revision> {
        let service = state.service(id)?;
        tracing::info!(service = %service.name, ?actions, "plan");
        let seen = service.touched;
        let service = id;
        self.submit(Command::ApplyPlan { service, seen, actions }).await
    }

    /// A refusal means that the plan came too late; the change that it missed is on its way here. Anything else means
    /// that this node may lead no longer.
    async fn submit(&self, command: Command) -> Option<Revision> {
        match self.cluster.submit(Actor::System, command).await {
            Ok(submitted) => Some(submitted.revision),
            Err(SubmitError::Rejected(rejection)) => {
                tracing::debug!(%rejection, "a plan came too late");
                None
            }
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "a plan could not be carried out; it is made again"
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_before_is_silent_since_it_was_heard_of_and_has_time_to_say_that_it_is_back() {
        let now = Instant::now() + Duration::from_secs(3_600);
        let ago = |millis| now - Duration::from_millis(millis);
        let leases = |heard| Leases {
            leading_since: now,
            term: 2,
            predecessor: Some((NodeId(1), heard)),
            by_node: BTreeMap::new(),
        };
        assert_eq!(silent_since(&leases(ago(600)), NodeId(1), now), ago(600));
        assert_eq!(silent_since(&leases(ago(60_000)), NodeId(1), now), now - SPENT);
        assert_eq!(silent_since(&leases(ago(600)), NodeId(2), now), now);
    }
}
