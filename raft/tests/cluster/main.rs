//! Clusters of real nodes in one process, over loopback TCP and real disks.

mod certificates;
mod harness;
mod membership;
mod restore;
mod rotation;
mod snapshot;

use std::time::Duration;

use harness::{Cast, admin, eventually, project, token, token_text};
use model::{Actor, Change, Command, NodeId, OperationId, Outcome, Rejection, Resource, Submission};
use raft::{Event, Role, Start, StartError, SubmitError, Timing};
use uuid::Uuid;

/// Runs a test on a runtime of its own.
pub fn run(test: impl Future<Output = ()>) {
    // Said only when somebody asks for it; all tests share it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("threads").block_on(test);
}

#[test]
fn a_cluster_grows_takes_writes_anywhere_and_survives_its_leader() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        assert!(one.is_leader() && one.node_id() == NodeId(1));
        let account = admin(&one);
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        let three = cast
            .join(&two, &token)
            .await
            .expect("it is let in through a follower too");
        assert_eq!((two.node_id(), three.node_id()), (NodeId(2), NodeId(3)));
        assert_eq!(
            (two.cluster_id(), two.keyring().derive("test")),
            (one.cluster_id(), one.keyring().derive("test"))
        );
        eventually("three voters", || one.status().voters.len() == 3).await;
        eventually("leases of all nodes", || {
            one.leases().is_some_and(|it| it.by_node.len() == 3)
        })
        .await;

        // A write on a follower is seen there at once, and by a consistent read elsewhere.
        let mut watch = three.watch();
        let created = two
            .submit(Actor::Account(account), project("first"))
            .await
            .expect("it is accepted");
        let Outcome::Resource(made) = &created.outcome else {
            panic!("a project was made: {created:?}")
        };
        assert!(matches!(made, Resource::Project(it) if it.name == "first"));
        assert!(two.local().project_by_name(account, "first").is_some());
        assert!(
            three
                .read()
                .await
                .expect("it can be read")
                .project_by_name(account, "first")
                .is_some()
        );
        let Ok(Event::Changes(batch)) = watch.next().await else {
            panic!("there was a change")
        };
        // A batch may carry what was committed right behind, such as a change of the voters.
        assert!(batch.after.revision() >= created.revision);
        let is_record = |it: &Change| matches!(it, Change::Put(Resource::Operation(_)));
        assert!(!batch.changes.iter().any(is_record), "no record of the result");
        assert!(two.staleness().is_some_and(|it| it < Duration::from_secs(5)));

        // What was refused is refused everywhere alike.
        let refused = three.submit(Actor::Account(account), project("first")).await;
        assert!(
            matches!(refused, Err(SubmitError::Rejected(Rejection::NameTaken(_)))),
            "{refused:?}"
        );

        // The leader goes as in a crash; the others go on.
        let stopped = std::time::Instant::now();
        one.stop().await;
        let after = two
            .submit(Actor::Account(account), project("second"))
            .await
            .expect("two of three are enough");
        println!(
            "a write was acknowledged {:?} after the leader began to stop",
            stopped.elapsed()
        );
        assert!(after.revision > created.revision);
        assert!(
            three
                .read()
                .await
                .expect("it can be read")
                .project_by_name(account, "second")
                .is_some()
        );

        // It comes back from its folder and knows what it missed.
        let one = cast.restart(0).await.expect("it starts again");
        assert_eq!(one.node_id(), NodeId(1));
        assert!(
            one.read()
                .await
                .expect("it can be read")
                .project_by_name(account, "second")
                .is_some()
        );
        eventually("the announcement of its start", || {
            one.local().node(NodeId(1)).is_some_and(|it| it.boot == cast.boot(0))
        })
        .await;
        cast.stop().await;
    });
}

#[test]
fn a_command_takes_effect_once_however_often_it_is_submitted() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let actor = Actor::Account(admin(&one));
        let operation = OperationId(Uuid::now_v7());
        let limit = Duration::from_secs(5);
        let first = one
            .submit_as(Submission::new(operation, actor, project("once")), limit)
            .await
            .expect("it is accepted");
        let second = one
            .submit_as(Submission::new(operation, actor, project("once")), limit)
            .await
            .expect("it is answered again");
        assert_eq!(first.outcome, second.outcome);
        cast.stop().await;
    });
}

#[test]
fn strangers_and_mistakes_are_refused() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let refused = cast.join(&one, &token_text(&one)).await.map(|_| ());
        assert!(
            matches!(
                refused,
                Err(StartError::JoinRefused {
                    source: Rejection::BadJoinToken,
                    ..
                })
            ),
            "{refused:?}"
        );
        let missing = cast.start(Start::Existing).await.map(|_| ());
        assert!(matches!(missing, Err(StartError::NoNode { .. })), "{missing:?}");
        let twice = cast.restart(0).await.map(|_| ());
        assert!(
            matches!(twice, Err(StartError::DataDir(storage::DataDirError::Locked(_)))),
            "{twice:?}"
        );
        cast.stop().await;
    });
}

#[test]
fn without_a_majority_nothing_is_acknowledged_and_nothing_read() {
    run(async {
        let quick = Duration::from_millis(1_500);
        let mut cast = Cast::new(Timing {
            submit: quick,
            read: quick,
            recovery: quick,
            ..Timing::default()
        });
        let one = cast.found().await;
        let account = admin(&one);
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        let three = cast.join(&one, &token).await.expect("it is let in");
        eventually("three voters", || one.status().voters.len() == 3).await;
        two.stop().await;
        three.stop().await;
        let written = one.submit(Actor::Account(account), project("lost")).await;
        assert!(
            matches!(
                written,
                Err(SubmitError::OutcomeUnknown { .. } | SubmitError::Unavailable(_))
            ),
            "{written:?}"
        );
        assert!(one.read().await.is_err());
        // It starts alone too, because running containers do not wait for a majority.
        one.stop().await;
        let one = cast.restart(0).await.expect("it starts");
        assert!(one.local().cluster().is_some());
        assert!(one.read().await.is_err());
        cast.restart(1).await.expect("it starts again");
        eventually("a leader", || one.status().leader.is_some()).await;
        one.read().await.expect("two of three are enough");
        cast.stop().await;
    });
}

#[test]
fn a_node_that_is_far_behind_gets_a_snapshot() {
    run(async {
        let timing = Timing {
            snapshot_after: 50,
            keep_after_snapshot: 5,
            ..Timing::default()
        };
        let mut cast = Cast::new(timing);
        let one = cast.found().await;
        let account = admin(&one);
        for n in 0..200 {
            one.submit(Actor::Account(account), project(&format!("p{n}")))
                .await
                .expect("it is accepted");
        }
        eventually("a purged log", || one.status().purged_index.is_some_and(|it| it > 100)).await;
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        let state = two.read().await.expect("it can be read");
        assert_eq!(state.projects().count(), 201);
        assert!(two.status().snapshot_index.is_some(), "{:?}", two.status());
        assert_eq!(two.local(), one.read().await.expect("it can be read"));

        // Both know all of it after a restart.
        two.stop().await;
        one.stop().await;
        let one = cast.restart(0).await.expect("it starts again");
        let two = cast.restart(1).await.expect("it starts again");
        assert_eq!(one.read().await.expect("it can be read").projects().count(), 201);
        assert_eq!(two.read().await.expect("it can be read").projects().count(), 201);
        cast.stop().await;
    });
}

#[test]
fn an_orderly_shutdown_hands_leadership_over() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        let three = cast.join(&one, &token).await.expect("it is let in");
        eventually("three voters", || one.status().voters.len() == 3).await;
        eventually("followers", || {
            [&two, &three].iter().all(|it| it.status().role == Role::Follower)
        })
        .await;
        let mut leadership = two.leadership();
        let begun = std::time::Instant::now();
        one.shutdown().await;
        let led = leadership
            .wait_for(|it| it.leader.is_some_and(|it| it != NodeId(1)))
            .await
            .map(|it| *it);
        println!("{led:?} {:?} after the leader began to shut down", begun.elapsed());
        two.submit(Actor::Account(account), project("later"))
            .await
            .expect("it is accepted");
        cast.stop().await;
    });
}

#[test]
fn many_writers_and_readers_get_along() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        let three = cast.join(&one, &token).await.expect("it is let in");
        eventually("three voters", || one.status().voters.len() == 3).await;
        let term = one.status().term;
        let nodes = [one.clone(), two, three];
        let begun = std::time::Instant::now();
        let work = (0..300).map(|n| {
            let node = nodes[n % 3].clone();
            tokio::spawn(async move {
                let name = format!("p{n}");
                node.submit(Actor::Account(account), project(&name))
                    .await
                    .expect("it is accepted");
                let state = node.read().await.expect("it can be read");
                assert!(state.project_by_name(account, &name).is_some());
            })
        });
        for done in work.collect::<Vec<_>>() {
            done.await.expect("no writer panics");
        }
        println!("300 writes, each read back: {:?}", begun.elapsed());
        let counts = [&nodes[0], &nodes[1], &nodes[2]].map(|it| it.local().projects().count());
        assert!(counts.contains(&301), "{counts:?}");
        assert_eq!(one.status().term, term, "load must not cause an election");
        cast.stop().await;
    });
}

#[test]
fn a_command_that_is_not_permitted_reaches_nobody() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        let again = Command::Bootstrap {
            cluster: one.cluster_id(),
            admin: "again".to_owned(),
            key_hash: [0; 32],
            authority: one.local().cluster().expect("it was founded").authority.clone(),
        };
        assert!(matches!(
            one.submit(Actor::System, again.clone()).await,
            Err(SubmitError::Rejected(_))
        ));
        assert!(matches!(
            one.submit(Actor::Account(account), again).await,
            Err(SubmitError::Rejected(_))
        ));
        cast.stop().await;
    });
}

#[test]
fn a_node_may_come_back_at_another_address() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        let three = cast.join(&one, &token).await.expect("it is let in");
        eventually("three voters", || one.status().voters.len() == 3).await;
        three.stop().await;
        cast.moves(2);
        let three = cast.restart(2).await.expect("it starts again");
        let address = cast.address(2);
        let known = || {
            one.status()
                .voters
                .iter()
                .any(|it| it.id == NodeId(3) && it.address == address)
        };
        eventually("its new address", known).await;
        // Now it is needed for a majority.
        two.stop().await;
        three
            .submit(Actor::Account(account), project("moved"))
            .await
            .expect("two of three are enough");
        cast.stop().await;

        // A node alone may move too.
        let mut cast = Cast::new(Timing::default());
        cast.found().await.stop().await;
        cast.moves(0);
        let one = cast.restart(0).await.expect("it starts again");
        eventually("its new address", || {
            one.status().voters.iter().all(|it| it.address == cast.address(0))
        })
        .await;
        cast.stop().await;
    });
}

/// What a leader sent to others before it had it on its own disk is gone with its process: in its old term, it would give
/// the same place in the log to something else, and the others would never notice.
#[test]
fn a_leader_that_starts_again_leads_only_in_a_new_term() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        let term = one.status().term;
        one.stop().await;
        let one = cast.restart(0).await.expect("it starts again");
        one.submit(Actor::Account(account), project("after"))
            .await
            .expect("it leads again");
        assert!(one.status().term > term, "{} after {term}", one.status().term);
        cast.stop().await;
    });
}
