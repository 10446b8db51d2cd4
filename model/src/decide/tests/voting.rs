//! Who is to vote, and a cluster that begins anew with one node.

use super::*;
use crate::{Kind, NodePatch, NodeVoting, Voting};

fn set(log: &mut Log, node: NodeId, voting: Voting) -> Result<Outcome, Rejection> {
    log.admin(Command::SetVoting(node, NodePatch::default(), voting))
}

#[test]
fn somebody_is_always_left_who_may_vote() {
    let mut log = Log::new();
    let (a, b) = (log.node("a", 100), log.node("b", 101));
    assert_eq!(log.state.voting(a), Voting::Auto);
    set(&mut log, a, Voting::Never).expect("b is left");
    assert_eq!(set(&mut log, b, Voting::Never), Err(Rejection::LastVoter));
    assert_eq!(log.state.voting(b), Voting::Auto, "a rejection changes nothing");
    let lease = log.state.node(b).expect("there").lease;
    log.system(Command::MarkNodeDown(b, lease)).expect("down");
    assert_eq!(log.admin(Command::RemoveNode(b)), Err(Rejection::LastVoter));
    set(&mut log, a, Voting::Auto).expect("back");
    assert_eq!(
        log.state.node_votings().count(),
        0,
        "no record of what goes without saying"
    );
    set(&mut log, b, Voting::Always).expect("set");
    log.admin(Command::RemoveNode(b)).expect("removed");
    assert_eq!(log.state.node_votings().count(), 0);
    assert!(matches!(
        set(&mut log, b, Voting::Always),
        Err(Rejection::NotFound { kind: Kind::Node, .. })
    ));
}

#[test]
fn a_wish_changes_the_nodes_revision_and_is_told_of() {
    let mut log = Log::new();
    let node = log.node("a", 100);
    log.node("b", 101);
    let before = log.state.node(node).expect("there").revision;
    let patch = NodePatch {
        schedulable: Some(false),
        draining: None,
    };
    log.admin(Command::SetVoting(node, patch, Voting::Always)).expect("set");
    let now = log.state.node(node).expect("there");
    assert!(now.revision > before && !now.schedulable);
    let wished = NodeVoting {
        id: node,
        voting: Voting::Always,
    };
    assert_eq!(log.state.node_voting(node), Some(&wished));
    let told = |log: &Log| log.state.events().last().expect("one").note.clone();
    assert_eq!(told(&log), "voting: always");
    set(&mut log, node, Voting::Auto).expect("set");
    assert_eq!(told(&log), "voting: auto");
}

#[test]
fn a_cluster_that_begins_anew_keeps_everything_but_the_other_nodes() {
    let mut log = Log::new();
    let (a, b) = (log.node("a", 100), log.node("b", 101));
    let service = log.service("web");
    let here = log.place(&service, a);
    let service = log.state.service(service.id).expect("there").clone();
    let there = log.place(&service, b);
    set(&mut log, a, Voting::Never).expect("b is left");
    let refound = Command::Refound {
        survivor: a,
        next_node: NodeId(1_000),
    };
    assert_eq!(log.admin(refound.clone()), Err(Rejection::Forbidden));
    log.system(refound).expect("founded anew");
    assert_eq!(log.state.nodes().map(|it| it.id).collect::<Vec<_>>(), [a]);
    assert!(log.state.replica(here.id).is_some() && log.state.replica(there.id).is_none());
    assert!(log.state.service(service.id).is_some());
    assert_eq!(log.state.voting(a), Voting::Auto, "somebody has to vote");
    assert_eq!(log.node("b", 101), NodeId(1_000), "never an id that may be taken");
}
