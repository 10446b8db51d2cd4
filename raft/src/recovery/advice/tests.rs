use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::*;

fn survivor(node: u64, (term, index): (u64, u64), voters: &[&[u64]]) -> Survivor {
    Survivor {
        cluster: ClusterId(Uuid::from_u128(7)),
        node: NodeId(node),
        name: format!("n{node}"),
        epoch: 0,
        term,
        last: Point { term, index },
        committed: Some(index / 2),
        applied: None,
        voters: voters
            .iter()
            .map(|set| set.iter().copied().map(NodeId).collect())
            .collect(),
        members: Vec::new(),
    }
}

const FIVE: &[&[u64]] = &[&[1, 2, 3, 4, 5]];

#[test]
fn the_later_term_wins_over_the_longer_log() {
    let advice = advise(&[survivor(2, (3, 90), FIVE), survivor(4, (4, 70), FIVE)]).expect("comparable");
    assert_eq!(advice.keep, NodeId(4));
    assert_eq!(advice.loss, Loss::After(Point { term: 4, index: 70 }));
    assert_eq!(advice.missing, [1, 3, 5].map(NodeId));
    assert_eq!(advice.unconfirmed, 35);
    assert!(!advice.is_quorum);
    let behind = advice.behind[0];
    assert!(behind.is_older && behind.lacks == 0 && !behind.is_lost);
}

#[test]
fn nothing_is_lost_where_the_missing_cannot_have_decided_alone() {
    let voters: &[&[u64]] = &[&[1, 2, 3, 4]];
    let two = advise(&[survivor(1, (1, 9), voters), survivor(2, (1, 8), voters)]).expect("comparable");
    assert_eq!((two.loss, two.is_quorum, two.keep), (Loss::Nothing, false, NodeId(1)));
    assert_eq!(two.behind[0].lacks, 1);
    let three = [1, 2, 3].map(|node| survivor(node, (1, 9), FIVE));
    assert!(advise(&three).expect("comparable").is_quorum);
    // In the middle of a change both sets have to agree.
    let joint: &[&[u64]] = &[&[1, 2, 3], &[3, 4, 5]];
    let both = advise(&[survivor(1, (1, 9), joint), survivor(2, (1, 9), joint)]).expect("comparable");
    assert_eq!((both.loss, both.is_quorum), (Loss::Nothing, false));
}

#[test]
fn an_epoch_that_is_over_does_not_come_back() {
    let mut new = survivor(2, (2, 5), &[&[2]]);
    new.epoch = 1;
    let advice = advise(&[survivor(3, (9, 99), FIVE), new]).expect("comparable");
    assert_eq!((advice.keep, advice.is_quorum), (NodeId(2), true));
    assert!(advice.behind[0].is_lost);
}

#[test]
fn what_does_not_belong_together_is_not_compared() {
    assert_eq!(advise(&[]), Err(Mismatch::Nobody));
    let one = survivor(1, (1, 1), FIVE);
    assert_eq!(advise(&[one.clone(), one.clone()]), Err(Mismatch::Twice(NodeId(1))));
    let mut other = survivor(2, (1, 1), FIVE);
    other.cluster = ClusterId(Uuid::nil());
    assert!(matches!(advise(&[one, other]), Err(Mismatch::OtherCluster { .. })));
}

/// Runs logs as Raft does: leaders in turn, each with a log at least as new as those of a majority, replicating to some,
/// and checks the advice against what was committed.
#[test]
fn what_was_acknowledged_is_kept_unless_the_advice_says_that_it_may_be_lost() {
    let mut saved = 0;
    for seed in 0..2_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let size = random.random_range(1..=7_u64);
        let voters: Vec<u64> = (1..=size).collect();
        // Terms of the entries of each node.
        let mut logs: Vec<Vec<u64>> = vec![Vec::new(); voters.len()];
        let mut committed: Vec<u64> = Vec::new();
        for term in 1..=random.random_range(1..6) {
            let majority = voters.len() / 2 + 1;
            let electors: Vec<usize> = some(&mut random, voters.len(), majority);
            let newest = |log: &Vec<u64>| (log.last().copied(), log.len());
            let leader = electors
                .into_iter()
                .max_by_key(|it| newest(&logs[*it]))
                .expect("somebody");
            for _ in 0..random.random_range(0..4) {
                logs[leader].push(term);
                let count = random.random_range(0..voters.len());
                let followers = some(&mut random, voters.len(), count);
                for it in &followers {
                    logs[*it] = logs[leader].clone();
                }
                let holders = logs.iter().filter(|it| **it == logs[leader]).count();
                if holders >= majority {
                    committed = logs[leader].clone();
                }
            }
        }
        let count = random.random_range(1..=voters.len());
        let alive = some(&mut random, voters.len(), count);
        let survivors: Vec<Survivor> = alive
            .iter()
            .map(|it| {
                let last = (logs[*it].last().copied().unwrap_or(0), logs[*it].len() as u64);
                survivor(voters[*it], last, &[&voters])
            })
            .collect();
        let advice = advise(&survivors).expect("comparable");
        let kept = &logs[usize::try_from(advice.keep.0).expect("small") - 1];
        let has_all = kept.len() >= committed.len() && kept[..committed.len()] == committed;
        if advice.loss == Loss::Nothing {
            assert!(has_all, "seed {seed}: {committed:?} in {logs:?}, {advice:?}");
            saved += 1;
        }
        if !has_all {
            // What is lost lies after what the advice names.
            let Loss::After(point) = advice.loss else {
                unreachable!()
            };
            let common = kept.iter().zip(&committed).take_while(|(a, b)| a == b).count();
            assert!(
                committed.len() as u64 > point.index || common < kept.len(),
                "seed {seed}: {advice:?}"
            );
        }
    }
    assert!(saved > 500, "{saved}");
}

fn some(random: &mut StdRng, all: usize, count: usize) -> Vec<usize> {
    let all: Vec<usize> = (0..all).collect();
    all.choose_multiple(random, count).copied().collect()
}
