use expect_test::expect;
use model::{ByteCount, ContainerSpec, Millicores, NodePatch, Phase, ReplicaId, ServicePatch};
use proptest::prelude::*;

use super::*;
use crate::ServicePlan;
use crate::rollout::tests::told;
use crate::testing::TestCluster;

fn considering(cluster: &TestCluster) -> Balancing {
    let mut balancing = Balancing::default();
    balancing.consider(cluster.state.services().map(|it| it.id));
    balancing
}

fn reserving(share: u64) -> ContainerSpec {
    let resources = Resources {
        cpu_reservation: Millicores(share * 40),
        memory_reservation: ByteCount(share * ((4 << 30) / 100)),
        ..Resources::default()
    };
    ContainerSpec {
        resources,
        ..ContainerSpec::default()
    }
}

/// Plans, obeys and evens out until nothing is left to do; how many moves that took. No service ever has fewer
/// answering replicas than wanted.
fn settle(cluster: &mut TestCluster, balancing: &mut Balancing) -> usize {
    let services: Vec<_> = cluster
        .state
        .services()
        .map(|it| (it.id, usize::from(it.spec.replicas)))
        .collect();
    let ready_enough = |cluster: &TestCluster| {
        services
            .iter()
            .all(|(id, wanted)| cluster.serving(*id).len() >= *wanted)
    };
    let (mut moves, mut was_ready) = (0, ready_enough(cluster));
    for _ in 0..2000 {
        let mut idle = true;
        for (id, _) in &services {
            idle &= cluster.plan(*id).actions.is_empty();
            assert!(!was_ready || ready_enough(cluster), "a plan takes away what is needed");
        }
        let before = cluster.state.revision();
        cluster.hosts_obey();
        idle &= cluster.state.revision() == before;
        let begun = cluster.balance(balancing).moves.len();
        moves += begun;
        was_ready |= ready_enough(cluster);
        if idle && begun == 0 {
            assert!(ready_enough(cluster), "at rest without what is wanted");
            return moves;
        }
    }
    panic!("no end");
}

fn ids(cluster: &TestCluster, id: ServiceId) -> BTreeSet<ReplicaId> {
    cluster.state.replicas_of(id).map(|it| it.id).collect()
}

/// Six replicas, three on each of two nodes, and a third node that has just come back and is steady.
fn returned() -> (TestCluster, ServiceId) {
    let mut cluster = TestCluster::new(3);
    cluster.down(3);
    let id = cluster.service("web", 6, ContainerSpec::default());
    settle(&mut cluster, &mut Balancing::default());
    assert_eq!(cluster.spread(id), [3, 3]);
    cluster.up(3);
    cluster.now = cluster.now.after(STEADY);
    (cluster, id)
}

#[test]
fn a_node_that_is_back_gets_its_share_one_by_one() {
    let (mut cluster, id) = returned();
    let mut balancing = considering(&cluster);
    let mut story = String::new();
    for _ in 0..6 {
        let plan = cluster.plan(id);
        story += &told(&cluster, &plan);
        for it in cluster.balance(&mut balancing).moves {
            story += &format!("move from n{} to n{}\n", it.from, it.to);
        }
        story += "--\n";
        cluster.hosts_obey();
    }
    expect![[r"
        move from n2 to n3
        --
        retire version 1 on n2
        move from n1 to n3
        --
        retire version 1 on n1
        --
        --
        --
        --
    "]]
    .assert_eq(&story);
    assert!(balancing.is_idle());
    assert_eq!(cluster.spread(id), [2, 2, 2]);
}

#[test]
fn nothing_moves_while_a_node_may_go_again_or_something_is_under_way() {
    let (mut cluster, id) = returned();
    cluster.down(3);
    cluster.up(3);
    let mut balancing = considering(&cluster);
    let plan = cluster.balance(&mut balancing);
    assert_eq!((plan.moves.len(), plan.look_again.is_some()), (0, true));
    assert!(!balancing.is_idle(), "it is looked at again");
    cluster.now = cluster.now.after(STEADY);
    cluster.patch(
        id,
        ServicePatch {
            image: Some("web:2".to_owned()),
            ..ServicePatch::default()
        },
    );
    assert_eq!(
        cluster.balance(&mut balancing),
        Rebalance::default(),
        "a rollout goes on"
    );
    assert!(balancing.is_idle(), "which spreads its replicas itself");
}

#[test]
fn a_move_that_fails_is_undone_and_not_tried_for_ever() {
    let (mut cluster, id) = returned();
    let mut balancing = considering(&cluster);
    let before = ids(&cluster, id);
    assert_eq!(cluster.balance(&mut balancing).moves.len(), 1);
    let new = *ids(&cluster, id).difference(&before).next().expect("placed");
    cluster.plan(id);
    assert_eq!(ids(&cluster, id).len(), 7, "it is waited for");
    cluster.report(new, Phase::Failed, None);
    assert_eq!(settle(&mut cluster, &mut balancing), 0);
    assert_eq!(ids(&cluster, id), before);
    assert!(balancing.is_idle());
}

#[test]
fn a_leader_that_knows_nothing_of_a_move_finishes_it() {
    let (mut cluster, id) = returned();
    assert_eq!(cluster.balance(&mut considering(&cluster)).moves.len(), 1);
    assert_eq!(settle(&mut cluster, &mut Balancing::default()), 0);
    assert_eq!(cluster.spread(id), [3, 2, 1]);
}

#[test]
fn fewer_replicas_are_wanted_before_the_last_ones_have_come_up() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    cluster.plan(id);
    let first = cluster.state.replicas_of(id).next().expect("placed").id;
    cluster.report(first, Phase::Ready, None);
    let replicas = Some(1);
    cluster.patch(
        id,
        ServicePatch {
            replicas,
            ..ServicePatch::default()
        },
    );
    cluster.plan(id);
    cluster.hosts_obey();
    assert_eq!(ids(&cluster, id), BTreeSet::from([first]), "the one that answers stays");
}

#[test]
fn services_of_one_replica_leave_the_fuller_node_few_at_a_time() {
    let mut cluster = TestCluster::new(2);
    cluster.down(2);
    let all: Vec<_> = (0..10)
        .map(|n| cluster.service(&format!("s{n}"), 1, ContainerSpec::default()))
        .collect();
    settle(&mut cluster, &mut Balancing::default());
    cluster.up(2);
    cluster.now = cluster.now.after(STEADY);
    let mut balancing = considering(&cluster);
    assert_eq!(
        cluster.balance(&mut balancing).moves.len(),
        MOST_MOVES,
        "no more at a time"
    );
    assert_eq!(cluster.balance(&mut balancing).moves.len(), 0);
    settle(&mut cluster, &mut balancing);
    let on = |node| cluster.state.replicas_on(NodeId(node)).count();
    assert!(
        on(1) + on(2) == all.len() && on(1).abs_diff(on(2)) <= 2,
        "{} and {}",
        on(1),
        on(2)
    );
}

#[test]
fn a_node_taken_back_into_use_is_used() {
    let mut cluster = TestCluster::new(2);
    let schedulable = |it| NodePatch {
        schedulable: Some(it),
        ..NodePatch::default()
    };
    cluster.patch_node(NodeId(2), schedulable(false));
    let id = cluster.service("web", 4, reserving(10));
    settle(&mut cluster, &mut Balancing::default());
    assert_eq!(cluster.spread(id), [4]);
    cluster.now = cluster.now.after(STEADY);
    let mut balancing = considering(&cluster);
    assert_eq!(settle(&mut cluster, &mut balancing), 0, "it takes no replicas");
    cluster.patch_node(NodeId(2), schedulable(true));
    let mut balancing = considering(&cluster);
    assert_eq!(settle(&mut cluster, &mut balancing), 2);
    assert_eq!(cluster.spread(id), [2, 2]);
}

/// The fewest moves that make these numbers as even as can be over so many nodes.
fn fewest_moves(spread: &[usize], nodes: usize) -> usize {
    let total: usize = spread.iter().sum();
    let (each, over) = (total / nodes, total % nodes);
    let share = |place| each + usize::from(place < over);
    spread
        .iter()
        .enumerate()
        .map(|(place, count)| count.saturating_sub(share(place)))
        .sum()
}

proptest! {
    /// One service alone: as even as can be, with the fewest moves, and nothing else is touched.
    #[test]
    fn a_service_is_evened_out_with_the_fewest_moves(
        nodes in 2u16..7, replicas in 1u8..=12, gone in prop::collection::btree_set(1u64..7, 0..5), share in 0u64..2,
    ) {
        let mut cluster = TestCluster::new(nodes);
        let gone: Vec<_> = gone.into_iter().filter(|it| *it < u64::from(nodes)).collect();
        gone.iter().for_each(|it| cluster.down(*it));
        let id = cluster.service("web", replicas, reserving(share));
        settle(&mut cluster, &mut Balancing::default());
        gone.iter().for_each(|it| cluster.up(*it));
        cluster.now = cluster.now.after(STEADY);
        let (before, spread) = (ids(&cluster, id), cluster.spread(id));
        let mut balancing = considering(&cluster);
        let moves = settle(&mut cluster, &mut balancing);
        prop_assert_eq!(moves, fewest_moves(&spread, usize::from(nodes)));
        prop_assert_eq!(before.difference(&ids(&cluster, id)).count(), moves, "each move is one replica's");
        prop_assert_eq!(fewest_moves(&cluster.spread(id), usize::from(nodes)), 0);
        let mut again = considering(&cluster);
        prop_assert_eq!(settle(&mut cluster, &mut again), 0, "and none back");
    }

    /// Many services together: each as even as can be, no move in vain, and none once they are at rest.
    #[test]
    fn many_services_come_to_rest_without_a_move_in_vain(
        nodes in 2u16..5,
        services in prop::collection::vec((1u8..5, 0u64..3), 1..10),
        gone in 1u64..4,
    ) {
        let mut cluster = TestCluster::new(nodes);
        let gone = gone.min(u64::from(nodes) - 1);
        (1..=gone).for_each(|it| cluster.down(it));
        let all: Vec<_> = services
            .iter()
            .enumerate()
            .map(|(n, (replicas, share))| cluster.service(&format!("s{n}"), *replicas, reserving(*share)))
            .collect();
        settle(&mut cluster, &mut Balancing::default());
        (1..=gone).for_each(|it| cluster.up(it));
        cluster.now = cluster.now.after(STEADY);
        let before: Vec<_> = all.iter().map(|it| ids(&cluster, *it)).collect();
        let mut balancing = considering(&cluster);
        let moves = settle(&mut cluster, &mut balancing);
        let left = all.iter().zip(&before).map(|(id, before)| before.difference(&ids(&cluster, *id)).count());
        prop_assert!(left.sum::<usize>() <= moves);
        for id in &all {
            prop_assert_eq!(fewest_moves(&cluster.spread(*id), usize::from(nodes)), 0);
        }
        // What others did meanwhile may let one more move; then there is rest.
        let passes = (0..4).map(|_| {
            let mut again = considering(&cluster);
            settle(&mut cluster, &mut again)
        });
        prop_assert_eq!(passes.last(), Some(0));
    }

    /// Whatever order leaders, hosts and accidents take turns in, and wherever one of them breaks off, what is wanted
    /// comes about in the end.
    #[test]
    fn a_crash_between_any_two_steps_changes_nothing_in_the_end(
        steps in prop::collection::vec((0u8..10, 0usize..12), 1..60),
    ) {
        let nodes = 4;
        let mut cluster = TestCluster::new(nodes);
        let services = [
            cluster.service("a", 5, ContainerSpec::default()),
            cluster.service("b", 2, reserving(5)),
        ];
        let mut balancing = Balancing::default();
        for (what, n) in steps {
            let id = services[n % 2];
            let node = NodeId(n as u64 % u64::from(nodes) + 1);
            let is_up = cluster.state.node(node).is_some_and(model::Node::is_up);
            match what {
                0 => {
                    let replicas = Some(n as u8 + 1);
                    cluster.patch(id, ServicePatch { replicas, ..ServicePatch::default() });
                }
                1 => {
                    let image = Some(format!("web:{n}"));
                    cluster.patch(id, ServicePatch { image, ..ServicePatch::default() });
                }
                2 if is_up && n < 6 => cluster.down(node.0),
                2 | 3 if !is_up => cluster.up(node.0),
                // A leader plans, and has gone before it could submit.
                4 => drop(crate::plan_service(&cluster.state, id, &mut Loads::of(&cluster.state), cluster.now)),
                5 | 6 => {
                    let _: ServicePlan = cluster.plan(id);
                }
                // One host has done one thing.
                7 | 8 => {
                    let all: Vec<_> = cluster.state.replicas_on(node).cloned().collect();
                    if let Some(replica) = all.get(n % all.len().max(1)).filter(|_| is_up) {
                        let phase = match replica.intent {
                            model::Intent::Stop => Phase::Stopped,
                            model::Intent::Run => Phase::Ready,
                        };
                        cluster.report(replica.id, phase, None);
                    }
                }
                9 => {
                    cluster.now = cluster.now.after(Duration::from_secs(2));
                    balancing.consider(services);
                    drop(cluster.balance(&mut balancing));
                    if n % 3 == 0 {
                        balancing = Balancing::default();
                    }
                }
                _ => {}
            }
        }
        for n in 1..=u64::from(nodes) {
            if !cluster.state.node(NodeId(n)).is_some_and(model::Node::is_up) {
                cluster.up(n);
            }
        }
        cluster.now = cluster.now.after(STEADY);
        settle(&mut cluster, &mut balancing);
        let mut balancing = considering(&cluster);
        settle(&mut cluster, &mut balancing);
        for id in services {
            let wanted = usize::from(cluster.state.service(id).expect("there").spec.replicas);
            prop_assert_eq!(cluster.serving(id).len(), wanted);
            prop_assert_eq!(cluster.state.replicas_of(id).count(), wanted, "nothing is left over");
            prop_assert_eq!(fewest_moves(&cluster.spread(id), usize::from(nodes)), 0);
        }
    }
}
