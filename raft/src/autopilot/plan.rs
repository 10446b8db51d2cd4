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
    /// The nodes of the replicated state, and how they are reached.
    pub(super) wanted: BTreeMap<u64, Peer>,
    /// The members of consensus, and how they are thought to be reached.
    pub(super) members: BTreeMap<u64, Peer>,
    /// Those who vote.
    pub(super) voters: BTreeSet<u64>,
    /// Those who do not.
    pub(super) candidates: Vec<Candidate>,
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
    /// Give learners a vote.
    AddVoters(BTreeSet<u64>),
}

/// The next step towards a membership of all nodes with as many voters as the healthy ones allow.
pub(super) fn next(view: &View) -> Option<Step> {
    for (id, peer) in &view.wanted {
        match view.members.get(id) {
            None => return Some(Step::AddLearner(*id, peer.clone())),
            Some(known) if known != peer => return Some(Step::SetPeer(*id, peer.clone())),
            Some(_) => {}
        }
    }
    let mut ready: Vec<u64> = view
        .candidates
        .iter()
        .filter(|it| is_ready(it))
        .map(|it| it.id)
        .collect();
    ready.sort_unstable();
    let target = VOTERS
        .into_iter()
        .find(|target| *target <= view.voters.len() + ready.len())?;
    let missing = target.saturating_sub(view.voters.len());
    (missing > 0).then(|| Step::AddVoters(ready.into_iter().take(missing).collect()))
}

fn is_ready(candidate: &Candidate) -> bool {
    candidate.is_healthy && candidate.lag.is_some_and(|lag| lag <= LAG_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: u64) -> Peer {
        Peer {
            name: format!("node-{id}"),
            address: format!("10.0.0.{id}:7000"),
        }
    }

    /// All of `nodes` are members; the first `voters` of them vote, the others are healthy and caught up.
    fn view(nodes: u64, voters: u64) -> View {
        let members: BTreeMap<u64, Peer> = (1..=nodes).map(|id| (id, peer(id))).collect();
        View {
            wanted: members.clone(),
            members,
            voters: (1..=voters).collect(),
            candidates: (voters + 1..=nodes)
                .map(|id| Candidate {
                    id,
                    is_healthy: true,
                    lag: Some(0),
                })
                .collect(),
        }
    }

    fn voters(ids: impl IntoIterator<Item = u64>) -> Option<Step> {
        Some(Step::AddVoters(ids.into_iter().collect()))
    }

    #[test]
    fn the_number_of_voters_is_always_odd() {
        assert_eq!(next(&view(1, 1)), None);
        assert_eq!(next(&view(2, 1)), None, "two voters survive no more than one");
        assert_eq!(next(&view(3, 1)), voters([2, 3]));
        assert_eq!(next(&view(4, 3)), None);
        assert_eq!(next(&view(5, 3)), voters([4, 5]));
        assert_eq!(next(&view(9, 1)), voters(2..=7));
        assert_eq!(next(&view(9, 7)), None);
    }

    #[test]
    fn nodes_that_are_ill_or_behind_get_no_vote() {
        let mut ill = view(3, 1);
        ill.candidates[0].is_healthy = false;
        assert_eq!(next(&ill), None);
        let mut behind = view(4, 1);
        behind.candidates[1].lag = Some(LAG_MAX + 1);
        assert_eq!(next(&behind), voters([2, 4]));
        behind.candidates[2].lag = None;
        assert_eq!(next(&behind), None);
    }

    #[test]
    fn members_come_before_votes() {
        let mut new = view(3, 1);
        new.wanted.insert(4, peer(4));
        assert_eq!(next(&new), Some(Step::AddLearner(4, peer(4))));
        let mut moved = view(3, 1);
        moved.wanted.insert(2, peer(20));
        assert_eq!(next(&moved), Some(Step::SetPeer(2, peer(20))));
    }
}
