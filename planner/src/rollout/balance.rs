//! Evening out: when a node has come back or has new room, replicas move there, few at a time and never before another
//! is ready in their place.
//!
//! A move is a replica too many on the roomier node; once it is ready, [`super::plan_service`] retires the one that can
//! best be spared, which is the one that the move is for. Nothing of a move is remembered that could be lost with a
//! leader: one that is half done is finished by whoever plans next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{DeploymentStatus, NodeId, PlanAction, Resources, ServiceId, State, Timestamp};

use super::Situation;
use crate::{Loads, Placement, place};

/// So many replicas move at a time, in all of the cluster, and one of each service.
pub const MOST_MOVES: usize = 4;
/// A node that changed between up and down less than this long ago may do so again.
const STEADY: Duration = Duration::from_secs(5);
/// A node has to have that much more of itself free than the one that a replica leaves, in thousandths, after the move.
const MARGIN: u64 = 50;

/// One replica's move to another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Of which service.
    pub service: ServiceId,
    /// The node that has too many.
    pub from: NodeId,
    /// The node that gets one more.
    pub to: NodeId,
    /// What begins it.
    pub actions: Vec<PlanAction>,
}

/// What may have to move, and what is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balancing {
    candidates: BTreeSet<ServiceId>,
    moving: BTreeMap<ServiceId, (NodeId, NodeId)>,
}

/// What to move now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebalance {
    /// At most one a service.
    pub moves: Vec<Move>,
    /// When to look again even if nothing changes.
    pub look_again: Option<Duration>,
}

impl Balancing {
    /// Some node has room that it had not: any service may have to move.
    pub fn consider(&mut self, services: impl IntoIterator<Item = ServiceId>) {
        self.candidates.extend(services);
    }

    /// A move did not begin after all.
    pub fn withdraw(&mut self, it: &Move) {
        self.moving.remove(&it.service);
        self.candidates.insert(it.service);
    }

    /// Whether there is anything to think about.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.candidates.is_empty() && self.moving.is_empty()
    }

    /// Takes those off the list whose move has ended. One that ended well may be followed by another of its service.
    fn note_ends(&mut self, state: &State) {
        let Self { candidates, moving } = self;
        moving.retain(|id, (_, to)| {
            let Some(situation) = Situation::read(state, *id) else {
                return false;
            };
            if situation.current.len() > situation.wanted() {
                return true;
            }
            if situation.current.iter().any(|it| it.node == *to && it.is_serving()) {
                candidates.insert(*id);
            }
            false
        });
    }
}

/// Which replicas to move now, so that each service is spread as evenly as can be, and nodes are about as full as each
/// other. Makes no move that does not even things out, so it comes to an end, and none back.
#[must_use]
pub fn rebalance(state: &State, balancing: &mut Balancing, loads: &Loads, now: Timestamp) -> Rebalance {
    balancing.note_ends(state);
    if balancing.candidates.is_empty() {
        return Rebalance::default();
    }
    if let Some(look_again) = unsteady_for(state, now) {
        return Rebalance {
            moves: Vec::new(),
            look_again: Some(look_again),
        };
    }
    // As it will be once everything under way has arrived.
    let mut loads = loads.clone();
    for (id, (from, _)) in &balancing.moving {
        if let Some(target) = Situation::read(state, *id).map(|it| it.target) {
            loads.leave(state, *from, target);
        }
    }
    let mut moves = Vec::new();
    while balancing.moving.len() < MOST_MOVES
        && let Some(id) = balancing.candidates.pop_first()
    {
        if balancing.moving.contains_key(&id) {
            continue;
        }
        if let Some(step) = Situation::read(state, id).and_then(|it| it.evener(id, &mut loads)) {
            balancing.moving.insert(id, (step.from, step.to));
            moves.push(step);
        }
    }
    let look_again = None;
    Rebalance { moves, look_again }
}

/// How long until every node that takes replicas has been up for a while.
fn unsteady_for(state: &State, now: Timestamp) -> Option<Duration> {
    let open = state
        .nodes()
        .filter(|it| it.is_up() && it.schedulable && !it.draining && it.runs_agent);
    let left = open.map(|it| STEADY.saturating_sub(now.since(it.changed_at)));
    left.max().filter(|it| !it.is_zero())
}

impl Situation<'_> {
    /// A move that evens things out, noted in `loads`. None while anything else is under way.
    fn evener(&self, service: ServiceId, loads: &mut Loads) -> Option<Move> {
        let is_settled = self.newest.status != DeploymentStatus::Pending
            && self.item_change.is_none()
            && self.old.is_empty()
            && self.lost.is_empty()
            && self.current.len() == self.wanted()
            && self.ready() == self.wanted()
            // A move begins with one too many, and spreads.
            && !self.pace().stops_first()
            && self.state.pinned_settings(self.target.id).placement.spread;
        loads.note_work(0, self.current.len());
        if !is_settled {
            return None;
        }
        let peers = self.peers();
        let (&from, &there) = peers
            .iter()
            .max_by_key(|(node, count)| (**count, loads.pressure(self.state, **node)))?;
        let Placement::On(to) = place(self.state, loads, &peers, self.target) else {
            return None;
        };
        let here = peers.get(&to).copied().unwrap_or(0);
        let needs = self.target.spec.container.resources;
        let evens_out = there > here + 1 || (there == here + 1 && relieves(self.state, loads, from, to, needs));
        if !evens_out {
            return None;
        }
        loads.place(self.state, to, self.target);
        loads.leave(self.state, from, self.target);
        let deployment = self.target.id;
        Some(Move {
            service,
            from,
            to,
            actions: vec![PlanAction::Place { deployment, node: to }],
        })
    }
}

/// Whether `to` would still be clearly less full than `from` after the move.
fn relieves(state: &State, loads: &Loads, from: NodeId, to: NodeId, needs: Resources) -> bool {
    let before = loads.pressure(state, from);
    let (from_after, to_after) = loads.after_move(state, from, to, needs);
    if to_after >= before {
        return false;
    }
    if needs.cpu_reservation.0 > 0 || needs.memory_reservation.0 > 0 {
        let (Reverse(free_there), Reverse(free_here)) = (from_after.0, to_after.0);
        from_after.0 < before.0 && free_here >= free_there + MARGIN
    } else {
        before.1 >= to_after.1 + 1 + before.1 / 5
    }
}

#[cfg(test)]
mod tests;
