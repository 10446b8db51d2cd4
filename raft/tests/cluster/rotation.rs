//! The certificate authority is replaced while the cluster works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::{AccountId, Actor, AuthorityStep, Command, NodeId};
use raft::{AuthorityFault, Cluster, StartError, Timing};
use tokio::task::JoinHandle;

use crate::harness::{Cast, admin, eventually, project, token, token_text};
use crate::run;

/// Writes through one node without a pause; a write that fails ends the test.
struct Writer {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Writer {
    fn begin(cluster: &Cluster, account: AccountId) -> Self {
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (cluster, stopped, counted) = (cluster.clone(), stop.clone(), done.clone());
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let number = counted.load(Ordering::Relaxed);
                let name = format!("n{}-{number}", cluster.node_id());
                let written = cluster.submit(Actor::Account(account), project(&name)).await;
                written.expect("no write fails during a rotation");
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, done, task }
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no write failed");
        self.done.load(Ordering::Relaxed)
    }
}

fn signer(cluster: &Cluster) -> Vec<u8> {
    cluster
        .local()
        .cluster()
        .expect("it was founded")
        .authority
        .certificate
        .clone()
}

fn is_renewing(cluster: &Cluster) -> bool {
    let state = cluster.local();
    let rotation = state.authority_under_way();
    rotation.is_some_and(|it| matches!(it.step, AuthorityStep::Renewing(_)))
}

fn is_settled(cluster: &Cluster) -> bool {
    cluster.local().authority_under_way().is_none()
}

#[test]
fn the_authority_is_replaced_under_constant_writes_and_waits_for_a_node_that_is_off() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        let old_token = token(&one).await;
        let mut nodes = vec![one.clone()];
        for _ in 1..4 {
            nodes.push(cast.join(&one, &old_token).await.expect("it is let in"));
        }
        eventually("three voters", || one.status().voters.len() == 3).await;
        let before = signer(&one);
        let term = one.status().term;
        let writers: Vec<_> = nodes[..3].iter().map(|it| Writer::begin(it, account)).collect();

        // The fourth does not hear of it.
        nodes[3].stop().await;
        let down = one.local().node(NodeId(4)).expect("a member").lease;
        let down = one.submit(Actor::System, Command::MarkNodeDown(NodeId(4), down)).await;
        down.expect("it is judged to be down");
        nodes[1].rotate_authority(account).await.expect("it begins");
        eventually("the next one signs", || is_renewing(&one)).await;
        let again = nodes[2].rotate_authority(account).await;
        assert!(matches!(again, Err(AuthorityFault::UnderWay(_))), "{again:?}");
        assert_ne!(signer(&one), before);

        // Both kinds of tokens let nodes in, through whichever node.
        let new_token = token(&one).await;
        assert_ne!(new_token, old_token);
        let five = cast
            .join(&nodes[1], &old_token)
            .await
            .expect("the old one is trusted yet");
        let six = cast.join(&nodes[2], &new_token).await.expect("so is the new one");

        // All but one have new certificates, and it says who is missing.
        let settled = loop {
            let seen = one.authorities().await.expect("it is known");
            if seen.waits_for.len() == 1 {
                break seen;
            }
        };
        assert_eq!(settled.waits_for[0].node, NodeId(4));
        assert!(
            settled.waits_for[0].why.contains("goblins node remove node-4"),
            "{settled:?}"
        );
        assert!(settled.before.is_some() && !is_settled(&one));
        for (node, said) in &settled.nodes {
            let signer = said.as_ref().map(|it| it.signer);
            assert!(*node == NodeId(4) || signer == Ok(settled.signer), "{settled:?}");
        }

        // It comes back knowing only the old one, is recognised, and recognises the others.
        let four = cast.restart(3).await.expect("it starts again");
        eventually("the old one is given up", || is_settled(&one)).await;
        let all = [&one, &nodes[1], &nodes[2], &four, &five, &six];
        for node in all {
            eventually("every node has heard", || is_settled(node)).await;
            node.submit(Actor::Account(account), project(&format!("after-{}", node.node_id())))
                .await
                .expect("it takes part");
        }
        let mut written = 0;
        for writer in writers {
            written += writer.end().await;
        }
        println!("{written} writes during the rotation, none failed");
        assert_eq!(one.status().term, term, "nobody was cut off");

        // A token of before is of no use any more, and it is said why.
        let refused = cast.join(&one, &old_token).await.map(|_| ());
        let Err(StartError::JoinFailed { reason, .. }) = refused else {
            panic!("it must be refused: {refused:?}")
        };
        assert!(reason.contains("if the authority was rotated since"), "{reason}");
        assert_ne!(token_text(&one), old_token);
        cast.join(&one, &new_token).await.expect("the new one goes on");

        // And on the disks there is only the new one: a key, a certificate and its authority.
        for index in 0..6 {
            let pem = std::fs::read_to_string(cast.folder(index).join("node.pem")).expect("there is a certificate");
            assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2, "node {}", index + 1);
        }
        cast.stop().await;
    });
}

#[test]
fn a_rotation_goes_on_wherever_its_leader_has_crashed() {
    run(async {
        for crash_while_renewing in [false, true] {
            let mut cast = Cast::new(Timing::default());
            let one = cast.found().await;
            let account = admin(&one);
            let first_token = token(&one).await;
            let two = cast.join(&one, &first_token).await.expect("it is let in");
            let three = cast.join(&one, &first_token).await.expect("it is let in");
            eventually("three voters", || one.status().voters.len() == 3).await;
            let before = signer(&one);
            assert!(one.is_leader());
            let mut feed = one.watch();
            two.rotate_authority(account).await.expect("it begins");
            while crash_while_renewing && !is_renewing(&one) && !is_settled(&one) {
                feed.changed().await.expect("it runs");
            }
            one.stop().await;
            let one = cast.restart(0).await.expect("it starts again");
            for node in [&one, &two, &three] {
                eventually("the rotation is done", || is_settled(node) && signer(node) != before).await;
            }
            // Once more from the beginning, with the authority that is new now.
            let before = signer(&one);
            three.rotate_authority(account).await.expect("it begins");
            eventually("the second one is done", || is_settled(&one) && signer(&one) != before).await;
            let four = cast.join(&one, &token(&one).await).await.expect("it is let in");
            assert!(four.read().await.is_ok());
            cast.stop().await;
        }
    });
}

#[test]
fn a_node_that_lost_its_disk_replays_the_log_past_authorities_that_are_gone() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        for _ in 0..2 {
            let before = signer(&one);
            one.rotate_authority(account).await.expect("it begins");
            eventually("it is done", || is_settled(&one) && signer(&one) != before).await;
        }
        // It applies the whole log, in which others signed, and keeps what it was given.
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        two.submit(Actor::Account(account), project("from-two"))
            .await
            .expect("it takes part");
        let seen = two.authorities().await.expect("it is known");
        for said in seen.nodes.values() {
            assert_eq!(said.as_ref().map(|it| it.signer), Ok(seen.signer), "{seen:?}");
        }
        // So does one that has to make itself a certificate.
        two.stop().await;
        std::fs::remove_file(cast.folder(1).join("node.pem")).expect("there is a certificate");
        let two = cast.restart(1).await.expect("it starts again");
        assert!(two.read().await.is_ok());
        cast.stop().await;
    });
}
