use super::*;
use crate::testing::{BOOT, TestCluster};

const LEASE: Duration = Duration::from_secs(3);

fn seen(cluster: &TestCluster, ago: Duration, known_for: Duration) -> Vec<Command> {
    let last = LastSeen { ago, boot: BOOT };
    liveness(
        &cluster.state,
        &BTreeMap::from([(NodeId(1), last)]),
        |_| known_for,
        LEASE,
    )
}

#[test]
fn a_silent_node_is_down_once_its_lease_has_run_out() {
    let cluster = TestCluster::new(1);
    assert_eq!(seen(&cluster, LEASE, LEASE * 9), []);
    assert!(matches!(
        seen(&cluster, LEASE * 2, LEASE * 9)[..],
        [Command::MarkNodeDown(NodeId(1), _)]
    ));
}

#[test]
fn an_election_gives_one_lease_of_grace() {
    let cluster = TestCluster::new(1);
    let unheard = |known_for| liveness(&cluster.state, &BTreeMap::new(), |_| known_for, LEASE);
    assert_eq!(unheard(LEASE), []);
    assert!(matches!(unheard(LEASE * 2)[..], [Command::MarkNodeDown(NodeId(1), _)]));
}

#[test]
fn a_node_that_joins_a_leader_of_long_standing_has_a_lease_too() {
    let cluster = TestCluster::new(2);
    let known_for = |id| if id == NodeId(2) { Duration::ZERO } else { LEASE * 9 };
    let verdicts = liveness(&cluster.state, &BTreeMap::new(), known_for, LEASE);
    assert!(
        matches!(verdicts[..], [Command::MarkNodeDown(NodeId(1), _)]),
        "{verdicts:?}"
    );
}

#[test]
fn a_node_that_is_heard_again_is_up_again() {
    let mut cluster = TestCluster::new(1);
    cluster.down(1);
    assert!(matches!(
        seen(&cluster, LEASE / 4, LEASE * 9)[..],
        [Command::MarkNodeUp(NodeId(1), _)]
    ));
    assert_eq!(seen(&cluster, LEASE * 2, LEASE * 9), [], "an old heartbeat is none");
    let other = LastSeen {
        ago: LEASE / 4,
        boot: Uuid::from_u128(99),
    };
    let verdicts = liveness(&cluster.state, &BTreeMap::from([(NodeId(1), other)]), |_| LEASE, LEASE);
    assert_eq!(verdicts, [], "a new life announces itself");
}
