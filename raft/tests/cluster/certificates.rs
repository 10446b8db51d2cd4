//! Who is let in, and how nodes stay certified.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use model::{Actor, NodeId};
use raft::{StartError, Timing};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Cast, admin, eventually, project, token, token_text};
use crate::run;

#[test]
fn a_new_node_says_nothing_to_the_wrong_cluster() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let mut others = Cast::new(Timing::default());
        let theirs = others.found().await;
        let token = token(&one).await;

        // A token that names no cluster.
        let refused = cast.join(&one, "gobj_secret").await.map(|_| ());
        assert!(matches!(refused, Err(StartError::TokenWithoutDigest)), "{refused:?}");
        // The cluster of another token.
        let refused = cast.join(&one, &token_text(&theirs)).await.map(|_| ());
        let Err(StartError::JoinFailed { reason, .. }) = refused else {
            panic!("it must be refused: {refused:?}")
        };
        assert!(
            reason.contains("not the cluster that the token was made for"),
            "{reason}"
        );
        assert_eq!(reason.matches("so nothing was sent").count(), 1, "{reason}");

        // Something that takes whatever it is told.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address").to_string();
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("it is called");
            let mut heard = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(Ok(read @ 1..)) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await
            {
                heard.extend_from_slice(&buffer[..read]);
            }
            heard
        });
        let start = raft::Start::Join {
            addr,
            token: token.clone(),
        };
        let refused = cast.start(start).await.map(|_| ());
        assert!(matches!(refused, Err(StartError::JoinFailed { .. })), "{refused:?}");
        let heard = String::from_utf8_lossy(&heard.await.expect("it listens")).into_owned();
        assert!(
            !heard.is_empty() && !heard.contains("secret"),
            "the token was shown to a stranger"
        );
        cast.stop().await;
        others.stop().await;
    });
}

#[test]
fn certificates_are_renewed_while_the_cluster_works() {
    run(async {
        let timing = Timing {
            certificate_life: Duration::from_secs(6),
            ..Timing::default()
        };
        let mut cast = Cast::new(timing);
        let one = cast.found().await;
        let account = admin(&one);
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        let three = cast.join(&two, &token).await.expect("it is let in");
        eventually("three voters", || one.status().voters.len() == 3).await;
        let term = one.status().term;
        let files = [0, 1, 2].map(|index| cast.folder(index).join("node.pem"));
        let read = || {
            files
                .clone()
                .map(|file| std::fs::read(file).expect("there is a certificate"))
        };
        for round in 0..2 {
            let before = read();
            eventually("new certificates", || {
                read().iter().zip(&before).all(|(now, then)| now != then)
            })
            .await;
            two.submit(Actor::Account(account), project(&format!("p{round}")))
                .await
                .expect("writes go on");
        }
        // Longer than any certificate lives that was made at the start.
        assert_eq!(one.status().term, term, "nobody was cut off");
        assert!(three.read().await.is_ok());
        let mode = std::fs::metadata(&files[1]).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        cast.stop().await;
    });
}

#[test]
fn a_node_whose_certificate_has_ended_or_is_lost_certifies_itself() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let account = admin(&one);
        let token = token(&one).await;
        let two = cast.join(&one, &token).await.expect("it is let in");
        two.read().await.expect("it has caught up");
        two.stop().await;
        let file = cast.folder(1).join("node.pem");
        let before = std::fs::read(&file).expect("there is a certificate");
        std::fs::remove_file(&file).expect("it can be removed");
        let two = cast.restart(1).await.expect("it starts again");
        assert_ne!(std::fs::read(&file).expect("there is one again"), before);
        two.submit(Actor::Account(account), project("still-known"))
            .await
            .expect("it is still a member");

        // Another node's certificate is not taken.
        two.stop().await;
        std::fs::copy(cast.folder(0).join("node.pem"), &file).expect("it can be copied");
        let refused = cast.restart(1).await.map(|_| ());
        assert!(
            matches!(refused, Err(StartError::OtherCredentials { .. })),
            "{refused:?}"
        );
        std::fs::write(&file, "rubbish").expect("it can be written");
        let refused = cast.restart(1).await.map(|_| ());
        assert!(matches!(refused, Err(StartError::Credentials { .. })), "{refused:?}");
        cast.stop().await;
    });
}

#[test]
fn silent_connections_hold_up_nobody() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let token = token(&one).await;
        let mut silent = Vec::new();
        for _ in 0..100 {
            silent.push(TcpStream::connect(cast.address(0)).await.expect("it listens"));
        }
        let two = cast.join(&one, &token).await.expect("it is let in all the same");
        assert_eq!(two.node_id(), NodeId(2));
        // They are sent away after a while.
        let mut byte = [0];
        for stream in &mut silent {
            assert!(matches!(stream.read(&mut byte).await, Ok(0) | Err(_)));
        }
        cast.stop().await;
    });
}
