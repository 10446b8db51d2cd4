//! The cluster looks after its own membership.

use std::time::{Duration, Instant};

use model::{Actor, Command, NodeId};
use raft::{Cluster, Role, Timing, TransferError};

use crate::harness::{Cast, admin, eventually, project, token};
use crate::run;

fn voters(cluster: &Cluster) -> Vec<u64> {
    cluster.status().voters.iter().map(|it| it.id.0).collect()
}

fn learners(cluster: &Cluster) -> Vec<u64> {
    cluster.status().learners.iter().map(|it| it.id.0).collect()
}

/// A cluster of this many nodes, of which the first three vote.
async fn cluster_of(cast: &mut Cast, nodes: usize) -> Vec<Cluster> {
    let one = cast.found().await;
    let token = token(&one).await;
    let mut all = vec![one.clone()];
    while all.len() < nodes {
        all.push(cast.join(&one, &token).await.expect("it is let in"));
        if all.len() == 3 {
            eventually("three voters", || voters(&one) == [1, 2, 3]).await;
        }
    }
    eventually("all members", || voters(&one).len() + learners(&one).len() == nodes).await;
    all
}

async fn removed(cluster: &Cluster) {
    let reason = tokio::time::timeout(Duration::from_secs(30), cluster.fatal()).await;
    let reason = reason.expect("it notices that it was removed");
    assert!(reason.contains("removed from the cluster"), "{reason}");
}

#[test]
fn a_dead_voter_gives_its_place_to_a_learner_and_does_not_take_it_back() {
    run(async {
        let grace = Duration::from_millis(2_500);
        let mut cast = Cast::new(Timing {
            voter_grace: grace,
            ..Timing::default()
        });
        let nodes = cluster_of(&mut cast, 4).await;
        let (one, account) = (&nodes[0], admin(&nodes[0]));
        assert_eq!((voters(one), learners(one)), (vec![1, 2, 3], vec![4]));
        let stopped = Instant::now();
        nodes[1].stop().await;
        eventually("the learner's vote", || voters(one) == [1, 3, 4]).await;
        // Its last sign of life may have come a little before.
        assert!(stopped.elapsed() >= grace / 2, "a restart must not cost a vote");
        assert_eq!(learners(one), [2]);
        // With it the cluster survives the loss of one more.
        nodes[2].stop().await;
        one.submit(Actor::Account(account), project("still"))
            .await
            .expect("two of three are enough");
        let two = cast.restart(1).await.expect("it starts again");
        cast.restart(2).await.expect("it starts again");
        eventually("the node that was away", || two.status().role == Role::Learner).await;
        assert!(
            two.read()
                .await
                .expect("it can be read")
                .project_by_name(account, "still")
                .is_some()
        );
        cast.stop().await;
    });
}

#[test]
fn a_removed_node_is_told_so_and_cannot_come_back() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let nodes = cluster_of(&mut cast, 4).await;
        let (one, actor) = (&nodes[0], Actor::Account(admin(&nodes[0])));
        // A learner that is up, and a voter that is off.
        one.submit(actor, Command::RemoveNode(NodeId(4)))
            .await
            .expect("it is removed");
        removed(&nodes[3]).await;
        eventually("its membership to end", || learners(one).is_empty()).await;
        nodes[3].stop().await;
        let again = cast.restart(3).await.expect("the folder is still there");
        removed(&again).await;
        again.stop().await;

        nodes[2].stop().await;
        one.submit(actor, Command::RemoveNode(NodeId(3)))
            .await
            .expect("it is removed");
        eventually("one voter", || voters(one) == [1] && learners(one) == [2]).await;
        let again = cast.restart(2).await.expect("the folder is still there");
        removed(&again).await;
        // The others go on.
        nodes[1].submit(actor, project("after")).await.expect("it is accepted");
        assert_eq!(one.local().nodes().count(), 2);
        cast.stop().await;
    });
}

#[test]
fn a_leader_that_is_removed_hands_over_first() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let nodes = cluster_of(&mut cast, 2).await;
        let (one, two) = (&nodes[0], &nodes[1]);
        let actor = Actor::Account(admin(one));
        one.submit(actor, Command::RemoveNode(NodeId(1)))
            .await
            .expect("it is removed");
        removed(one).await;
        eventually("the other alone", || voters(two) == [2] && learners(two).is_empty()).await;
        two.submit(actor, project("after")).await.expect("it is accepted");
        cast.stop().await;
    });
}

#[test]
fn leadership_is_transferred_on_request_and_by_a_leader_that_is_to_rest() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let nodes = cluster_of(&mut cast, 4).await;
        let actor = Actor::Account(admin(&nodes[0]));
        let heard = || nodes[0].leases().is_some_and(|it| it.by_node.len() == 4);
        eventually("word from all", heard).await;
        // Asked of a follower, and of a learner.
        let led = nodes[1].transfer_leadership(Some(NodeId(3))).await;
        assert_eq!(led, Ok(NodeId(3)));
        eventually("everybody to know", || {
            nodes.iter().all(|it| it.status().leader == Some(NodeId(3)))
        })
        .await;
        eventually("word from all", || {
            nodes[2].leases().is_some_and(|it| it.by_node.len() == 4)
        })
        .await;
        let refused = nodes[3].transfer_leadership(Some(NodeId(4))).await;
        assert!(matches!(refused, Err(TransferError::Refused(_))), "{refused:?}");
        let led = nodes[3].transfer_leadership(None).await.expect("somebody takes over");
        assert_ne!(led, NodeId(3));

        // Nothing more is to run on the leader: it leads no longer.
        let term = nodes[0].status().term;
        let resting = model::NodePatch {
            schedulable: Some(false),
            ..model::NodePatch::default()
        };
        nodes[0]
            .submit(actor, Command::UpdateNode(led, resting))
            .await
            .expect("an admin may do that");
        eventually("another leader", || {
            let status = nodes[0].status();
            status.term > term && status.leader.is_some_and(|it| it != led)
        })
        .await;
        nodes[0].submit(actor, project("after")).await.expect("it is accepted");
        cast.stop().await;
    });
}
