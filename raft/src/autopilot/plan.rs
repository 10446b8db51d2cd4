//! What to change in the membership next: a pure decision.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::Peer;

/// How many voters a cluster may have. An even number would survive no more failures than one less.
const VOTERS: [usize; 4] = [7, 5, 3, 1];
/// A learner that lacks more entries than this is not yet caught up; as a voter it would hold every commit back.
const LAG_MAX: u64 = 1_000;

/// What the leader sees.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Who plans.
    pub(super) leader: u64,
    /// Whether the leader is to do no work any more.
    pub(super) is_draining: bool,
    /// The nodes of the replicated state, and how they are reached.
    pub(super) wanted: BTreeMap<u64, Peer>,
    /// Members that were removed from the state.
    pub(super) removed: BTreeSet<u64>,
    /// The members of consensus, and how they are thought to be reached.
    pub(super) members: BTreeMap<u64, Peer>,
    /// Those who vote.
    pub(super) voters: BTreeSet<u64>,
    /// The voters that have not been heard of for so long that they are given up.
    pub(super) dead: BTreeSet<u64>,
    /// Those who do not vote.
    pub(super) candidates: Vec<Candidate>,
    /// The other voters that could lead, the best first.
    pub(super) successors: Vec<u64>,
    /// Nodes that are to vote before those of which nothing is said.
    pub(super) always: BTreeSet<u64>,
    /// Nodes that are not to vote.
    pub(super) never: BTreeSet<u64>,
}

impl View {
    /// Whether a voter is to be one no longer.
    fn must_go(&self, id: u64) -> bool {
        self.removed.contains(&id) || self.never.contains(&id)
    }
}

/// A learner.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) id: u64,
    /// Whether it has been heard of just now.
    pub(super) is_healthy: bool,
    /// How many entries it lacks, if that is known.
    pub(super) lag: Option<u64>,
}

/// One change of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Replicate to a node that is not a member yet.
    AddLearner(u64, Peer),
    /// A member is reached elsewhere now.
    SetPeer(u64, Peer),
    /// These shall vote, and nobody else. Who did and does no longer goes on as a learner.
    SetVoters(BTreeSet<u64>),
    /// These learners are members no longer.
    Remove(BTreeSet<u64>),
    /// Another shall lead, because this node is to go or to rest.
    HandOver(u64),
}

/// The second half of a change of which only the first was made: until then both the old voters and the new ones have to
/// agree to everything.
pub(super) fn unfinished(configs: &[BTreeSet<u64>]) -> Option<Step> {
    match configs {
        [_, .., new] => Some(Step::SetVoters(new.clone())),
        _ => None,
    }
}

/// The next step towards a membership of all nodes, in which as many failures can be survived as the healthy ones allow.
pub(super) fn next(view: &View) -> Option<Step> {
    for (id, peer) in &view.wanted {
        match view.members.get(id) {
            None => return Some(Step::AddLearner(*id, peer.clone())),
            Some(known) if known != peer => return Some(Step::SetPeer(*id, peer.clone())),
            Some(_) => {}
        }
    }
    let leaves = view.must_go(view.leader);
    if let Some(successor) = view.successors.first().filter(|_| leaves || view.is_draining) {
        return Some(Step::HandOver(*successor));
    }
    let idle: BTreeSet<u64> = view.removed.difference(&view.voters).copied().collect();
    if !idle.is_empty() {
        return Some(Step::Remove(idle));
    }
    let voters = voters(view);
    (voters != view.voters).then_some(Step::SetVoters(voters))
}

/// Who should vote. Only what survives more failures than today is worth a change, or as many with more of those that are
/// to vote, or what somebody has to leave who is not to vote.
fn voters(view: &View) -> BTreeSet<u64> {
    // A leader cannot leave before there is somebody to lead.
    let must_go = |id: &u64| view.must_go(*id) && *id != view.leader;
    let stays: BTreeSet<u64> = view.voters.iter().copied().filter(|id| !must_go(id)).collect();
    let mut ready: Vec<u64> = view
        .candidates
        .iter()
        .filter(|it| is_ready(it) && !view.must_go(it.id))
        .map(|it| it.id)
        .collect();
    let is_wished = |id: &u64| view.always.contains(id);
    ready.sort_unstable_by_key(|id| (!is_wished(id), *id));
    // The leader first, then who is to vote by all means, then who votes already, then learners: as little change as
    // possible.
    let alive = stays.iter().filter(|id| !view.dead.contains(id) && **id != view.leader);
    let rest: Vec<u64> = alive.chain(&ready).copied().collect();
    let (wished, others): (Vec<u64>, Vec<u64>) = rest.into_iter().partition(is_wished);
    let pool: Vec<u64> = [view.leader].into_iter().chain(wished).chain(others).collect();
    let is_alive = |id: &u64| pool.contains(id);

    // As many as today, with learners in the place of those that are dead.
    let (healthy, dead): (Vec<u64>, Vec<u64>) = stays.iter().partition(|id| is_alive(id));
    let kept = dead.iter().skip(ready.len().min(dead.len()));
    let substitutes = ready.iter().take(dead.len());
    let repaired: BTreeSet<u64> = healthy.iter().chain(substitutes).chain(kept).copied().collect();

    let sizes = VOTERS.into_iter().filter(|size| *size <= pool.len());
    let fresh = sizes.map(|size| pool.iter().take(size).copied().collect());
    let is_odd = |set: &BTreeSet<u64>| set.len() % 2 == 1;
    // What survives more is better; among what survives as much, what does more of the operator's will.
    let worth = |set: &BTreeSet<u64>| (tolerance(set, is_alive), set.intersection(&view.always).count());
    let mut best = view.voters.clone();
    let mut best_worth = (stays == view.voters).then(|| worth(&best));
    for set in [repaired].into_iter().filter(is_odd).chain(fresh) {
        let would = worth(&set);
        if best_worth.is_none_or(|now| would > now) {
            (best, best_worth) = (set, Some(would));
        }
    }
    if best == view.voters && view.must_go(view.leader) && view.successors.is_empty() {
        // Two voters for a moment, so that the other can take over.
        best.extend(ready.first());
    }
    best
}

/// How many more of these voters may fail; negative if there are too few already.
fn tolerance(voters: &BTreeSet<u64>, is_alive: impl Fn(&u64) -> bool) -> i64 {
    let count = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
    let alive = voters.iter().filter(|id| is_alive(id)).count();
    count(alive) - count(voters.len() / 2 + 1)
}

fn is_ready(candidate: &Candidate) -> bool {
    candidate.is_healthy && candidate.lag.is_some_and(|lag| lag <= LAG_MAX)
}

#[cfg(test)]
mod tests;
