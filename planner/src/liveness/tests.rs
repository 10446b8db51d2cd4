use super::*;
use crate::testing::{BOOT, TestCluster};

const LEASE: Duration = Duration::from_secs(3);

fn seen(cluster: &TestCluster, ago: Duration, leading_for: Duration) -> Vec<Command> {
    let last = LastSeen { ago, boot: BOOT };
    liveness(&cluster.state, &BTreeMap::from([(NodeId(1), last)]), leading_for, LEASE)
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
    let unheard = |leading_for| liveness(&cluster.state, &BTreeMap::new(), leading_for, LEASE);
    assert_eq!(unheard(LEASE), []);
    assert!(matches!(unheard(LEASE * 2)[..], [Command::MarkNodeDown(NodeId(1), _)]));
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
    let verdicts = liveness(&cluster.state, &BTreeMap::from([(NodeId(1), other)]), LEASE, LEASE);
    assert_eq!(verdicts, [], "a new life announces itself");
}
