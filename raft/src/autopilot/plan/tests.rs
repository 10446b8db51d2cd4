use super::*;

fn peer(id: u64) -> Peer {
    Peer {
        name: format!("node-{id}"),
        address: format!("10.0.0.{id}:7000"),
    }
}

/// All of `nodes` are members; the first `voters` of them vote, the others are healthy and caught up. Node 1 leads.
fn view(nodes: u64, voters: u64) -> View {
    let members: BTreeMap<u64, Peer> = (1..=nodes).map(|id| (id, peer(id))).collect();
    View {
        leader: 1,
        wanted: members.clone(),
        members,
        voters: (1..=voters).collect(),
        successors: (2..=voters).collect(),
        candidates: (voters + 1..=nodes)
            .map(|id| Candidate {
                id,
                is_healthy: true,
                lag: Some(0),
            })
            .collect(),
        ..View::default()
    }
}

impl View {
    fn dead(mut self, ids: impl IntoIterator<Item = u64>) -> Self {
        self.dead = ids.into_iter().collect();
        self.successors.retain(|id| !self.dead.contains(id));
        self
    }

    fn always(mut self, ids: impl IntoIterator<Item = u64>) -> Self {
        self.always = ids.into_iter().collect();
        self
    }

    fn never(mut self, ids: impl IntoIterator<Item = u64>) -> Self {
        self.never = ids.into_iter().collect();
        self.successors.retain(|id| !self.never.contains(id));
        self
    }

    fn removed(mut self, ids: impl IntoIterator<Item = u64>) -> Self {
        self.removed = ids.into_iter().collect();
        self.wanted.retain(|id, _| !self.removed.contains(id));
        self.successors.retain(|id| !self.removed.contains(id));
        self
    }
}

fn voters(ids: impl IntoIterator<Item = u64>) -> Option<Step> {
    Some(Step::SetVoters(ids.into_iter().collect()))
}

#[test]
fn the_number_of_voters_is_always_odd() {
    assert_eq!(next(&view(1, 1)), None);
    assert_eq!(next(&view(2, 1)), None, "two voters survive no more than one");
    assert_eq!(next(&view(3, 1)), voters([1, 2, 3]));
    assert_eq!(next(&view(4, 3)), None);
    assert_eq!(next(&view(5, 3)), voters(1..=5));
    assert_eq!(next(&view(9, 1)), voters(1..=7));
    assert_eq!(next(&view(9, 7)), None);
}

#[test]
fn a_change_that_was_begun_is_finished() {
    let (old, new) = (BTreeSet::from([1]), BTreeSet::from([1, 2, 3]));
    assert_eq!(unfinished(&[old.clone(), new.clone()]), Some(Step::SetVoters(new)));
    assert_eq!(unfinished(&[old]), None);
}

#[test]
fn nodes_that_are_ill_or_behind_get_no_vote() {
    let mut ill = view(3, 1);
    ill.candidates[0].is_healthy = false;
    assert_eq!(next(&ill), None);
    let mut behind = view(4, 1);
    behind.candidates[1].lag = Some(LAG_MAX + 1);
    assert_eq!(next(&behind), voters([1, 2, 4]));
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

#[test]
fn a_dead_voter_gives_its_place_to_a_learner() {
    assert_eq!(next(&view(4, 3).dead([2])), voters([1, 3, 4]));
    assert_eq!(next(&view(7, 5).dead([5])), voters([1, 2, 3, 4, 6]));
    assert_eq!(next(&view(7, 5).dead([4, 5])), voters([1, 2, 3, 6, 7]));
    assert_eq!(next(&view(9, 7).dead([7])), voters([1, 2, 3, 4, 5, 6, 8]));
    // One learner for two that are dead: as good as three voters, and nearer to what was.
    assert_eq!(next(&view(6, 5).dead([4, 5])), voters([1, 2, 3, 5, 6]));
}

#[test]
fn without_a_learner_a_dead_voter_keeps_its_place_unless_fewer_voters_survive_more() {
    assert_eq!(next(&view(3, 3).dead([2])), None, "two of three is as good as it gets");
    assert_eq!(next(&view(5, 5).dead([2])), None);
    assert_eq!(next(&view(5, 5).dead([2, 4])), voters([1, 3, 5]));
    assert_eq!(next(&view(7, 7).dead([6, 7])), voters(1..=5));
    let mut ill = view(4, 3).dead([2]);
    ill.candidates[0].is_healthy = false;
    assert_eq!(next(&ill), None);
}

#[test]
fn a_removed_node_is_demoted_first_and_then_forgotten() {
    assert_eq!(next(&view(4, 3).removed([4])), Some(Step::Remove([4].into())));
    assert_eq!(next(&view(4, 3).removed([3])), voters([1, 2, 4]));
    assert_eq!(
        next(&view(3, 3).removed([3])),
        voters([1]),
        "two voters survive no more than one"
    );
    assert_eq!(next(&view(5, 5).removed([3])), voters([1, 2, 4]));
    assert_eq!(next(&view(5, 5).removed([3]).dead([2])), voters([1, 4, 5]));
    assert_eq!(next(&view(3, 3).removed([3]).dead([3])), voters([1]));
}

#[test]
fn a_leader_that_is_to_go_or_to_rest_hands_over_first() {
    assert_eq!(next(&view(3, 3).removed([1])), Some(Step::HandOver(2)));
    assert_eq!(next(&view(3, 3).removed([1]).dead([2])), Some(Step::HandOver(3)));
    // Nobody can lead yet, so somebody gets a vote first.
    assert_eq!(next(&view(4, 1).removed([1])), voters([1, 2, 3]));
    assert_eq!(next(&view(2, 1).removed([1])), voters([1, 2]));
    assert_eq!(next(&view(2, 2).removed([1])), Some(Step::HandOver(2)));
    assert_eq!(next(&view(1, 1).removed([1])), None, "the last one stays");
    let mut draining = view(3, 3);
    draining.is_draining = true;
    assert_eq!(next(&draining), Some(Step::HandOver(2)));
    draining.successors.clear();
    assert_eq!(next(&draining), None);
}

#[test]
fn a_node_that_is_to_vote_takes_the_place_of_one_of_which_nothing_is_said() {
    assert_eq!(next(&view(4, 3).always([4])), voters([1, 2, 4]));
    assert_eq!(next(&view(4, 3).always([2, 3])), None);
    assert_eq!(next(&view(5, 3).always([4])), voters(1..=5), "there is room for all");
    assert_eq!(
        next(&view(2, 1).always([2])),
        None,
        "two voters survive no more than one"
    );
    let mut ill = view(4, 3).always([4]);
    ill.candidates[0].is_healthy = false;
    assert_eq!(next(&ill), None, "a wish costs no health");
    // Its place is given away while it is dead, and it gets it back.
    assert_eq!(next(&view(4, 3).always([2]).dead([2])), voters([1, 3, 4]));
    let mut back = view(4, 3).always([2]);
    back.voters = [1, 3, 4].into();
    back.candidates[0].id = 2;
    assert_eq!(next(&back), voters([1, 2, 3]));
}

#[test]
fn a_node_that_is_not_to_vote_is_replaced_or_left_out() {
    assert_eq!(next(&view(4, 3).never([3])), voters([1, 2, 4]));
    assert_eq!(next(&view(4, 3).never([4])), None);
    assert_eq!(
        next(&view(3, 3).never([3])),
        voters([1]),
        "two survive no more than one"
    );
    assert_eq!(next(&view(3, 3).never([2]).dead([3])), voters([1]));
    // Not chosen in the place of a dead one either.
    assert_eq!(next(&view(5, 3).never([4]).dead([2])), voters([1, 3, 5]));
    assert_eq!(next(&view(4, 3).never([4]).dead([2])), None);
    // The leader hands over first; alone it stays.
    assert_eq!(next(&view(3, 3).never([1])), Some(Step::HandOver(2)));
    assert_eq!(next(&view(2, 1).never([1])), voters([1, 2]));
    assert_eq!(next(&view(3, 1).never([1, 2])), voters([1, 3]));
    let mut alone = view(2, 1).never([1]);
    alone.candidates[0].is_healthy = false;
    assert_eq!(next(&alone), None, "nobody else could lead");
}

/// Whatever is wished, by way of every step: a majority of the voters is always up if one was, and in the end nobody
/// votes who is not to, unless nobody else could.
#[test]
fn wishes_never_cost_the_quorum_and_are_met_in_the_end() {
    for nodes in 1..=5_u64 {
        for first in [1, 3, 5].into_iter().filter(|it| *it <= nodes) {
            for wishes in 0..3_u64.pow(u32::try_from(nodes).expect("small")) {
                for ill in (0..1_u64 << nodes).filter(|it| it & 1 == 0) {
                    check_wishes(nodes, first, wishes, ill);
                }
            }
        }
    }
}

fn check_wishes(nodes: u64, first: u64, wishes: u64, ill: u64) {
    let is_ill = |id: u64| ill >> (id - 1) & 1 == 1;
    let wish = |id: u64| wishes / 3_u64.pow(u32::try_from(id - 1).expect("small")) % 3;
    let all = |what: u64| (1..=nodes).filter(move |id| wish(*id) == what);
    let see = |leader: u64, now: &BTreeSet<u64>| {
        let mut seen = view(nodes, 0).always(all(1)).never(all(2));
        seen.leader = leader;
        seen.voters = now.clone();
        seen.dead = now.iter().copied().filter(|id| is_ill(*id)).collect();
        seen.candidates.retain(|it| !now.contains(&it.id));
        for it in &mut seen.candidates {
            it.is_healthy = !is_ill(it.id);
        }
        let could_lead = |id: &u64| *id != leader && !is_ill(*id) && wish(*id) != 2;
        seen.successors = now.iter().copied().filter(could_lead).collect();
        seen
    };
    let (mut leader, mut now): (u64, BTreeSet<u64>) = (1, (1..=first).collect());
    if tolerance(&now, |id| !is_ill(*id)) < 0 {
        return;
    }
    for _ in 0..8 {
        let seen = see(leader, &now);
        match next(&seen) {
            None => {
                let could_vote = (1..=nodes).any(|id| !is_ill(id) && wish(id) != 2);
                let unwanted: Vec<_> = now.iter().filter(|id| wish(**id) == 2).collect();
                assert!(unwanted.is_empty() || !could_vote, "{unwanted:?} vote: {seen:?}");
                return;
            }
            Some(Step::HandOver(to)) => leader = to,
            Some(Step::SetVoters(then)) => {
                assert!(then.contains(&leader), "{seen:?} -> {then:?}");
                assert!(tolerance(&then, |id| !is_ill(*id)) >= 0, "{seen:?} -> {then:?}");
                now = then;
            }
            Some(other) => panic!("{other:?}"),
        }
    }
    panic!("it does not end: {:?}", see(leader, &now));
}

#[test]
fn no_change_ever_leaves_fewer_survivors_and_all_changes_end() {
    for nodes in 1..=9_u64 {
        for first in 1..=nodes {
            for ill in 0..1_u64 << nodes {
                let mut view = view(nodes, first.min(7));
                let is_ill = |id: u64| id != 1 && ill >> (id - 1) & 1 == 1;
                view = view.clone().dead((2..=first.min(7)).filter(|id| is_ill(*id)));
                for it in &mut view.candidates {
                    it.is_healthy = !is_ill(it.id);
                }
                let mut steps = 0;
                let mut spare = tolerance(&view.voters, |id| !is_ill(*id));
                while let Some(Step::SetVoters(now)) = next(&view) {
                    let then = tolerance(&now, |id| !is_ill(*id));
                    assert!(
                        then > spare && now.len() % 2 == 1 && now.contains(&1),
                        "{view:?} -> {now:?}"
                    );
                    spare = then;
                    steps += 1;
                    assert!(steps < 5, "{view:?}");
                    view.candidates = (1..=nodes)
                        .filter(|id| !now.contains(id))
                        .map(|id| Candidate {
                            id,
                            is_healthy: !is_ill(id),
                            lag: Some(0),
                        })
                        .collect();
                    view.dead = now.iter().copied().filter(|id| is_ill(*id)).collect();
                    view.voters = now;
                }
            }
        }
    }
}
