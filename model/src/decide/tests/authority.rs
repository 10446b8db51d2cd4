//! The way from one certificate authority to the next.

use super::*;
use crate::{Authority, AuthorityStep};

fn next() -> Authority {
    Authority {
        certificate: vec![2],
        key: sealed("next", 1),
    }
}

fn rotate() -> Command {
    Command::RotateAuthority {
        replaces: vec![1],
        next: next(),
        bridge: vec![12],
    }
}

fn token(log: &mut Log, byte: u8) {
    let command = Command::CreateJoinToken {
        hash: [byte; 32],
        expires_at: Timestamp(u64::MAX),
    };
    log.admin(command).expect("a token");
}

#[test]
fn an_authority_is_announced_then_signs_then_stands_alone() {
    let mut log = Log::new();
    token(&mut log, 1);
    let certificate = |log: &Log| log.state.cluster().expect("there").authority.certificate.clone();
    assert_eq!(log.system(Command::SignByNextAuthority(vec![2])), Err(Rejection::Stale));
    assert_eq!(log.system(Command::RetireAuthority(vec![1])), Err(Rejection::Stale));
    log.admin(rotate()).expect("announced");
    assert_eq!(certificate(&log), [1], "the old one signs yet");
    assert_eq!(log.state.authority_under_way().expect("under way").other(), [2]);

    // One at a time, each step once, and only for what it was meant for.
    assert_eq!(log.admin(rotate()), Err(Rejection::Stale));
    assert_eq!(log.system(Command::RetireAuthority(vec![1])), Err(Rejection::Stale));
    assert_eq!(log.system(Command::SignByNextAuthority(vec![3])), Err(Rejection::Stale));
    assert_eq!(
        log.admin(Command::SignByNextAuthority(vec![2])),
        Err(Rejection::Forbidden)
    );
    // The announced authority's key would be left behind.
    assert_eq!(log.admin(Command::RotateKey(KeyVersion(2))), Err(Rejection::Stale));

    log.system(Command::SignByNextAuthority(vec![2])).expect("it signs");
    assert_eq!(certificate(&log), [2]);
    let rotation = log.state.authority_under_way().expect("under way");
    assert_eq!(rotation.step, AuthorityStep::Renewing(vec![1]));
    assert_eq!(log.system(Command::SignByNextAuthority(vec![2])), Err(Rejection::Stale));
    assert_eq!(log.system(Command::RetireAuthority(vec![2])), Err(Rejection::Stale));
    assert_eq!(log.admin(Command::RetireAuthority(vec![1])), Err(Rejection::Forbidden));
    token(&mut log, 2);
    log.admin(Command::RotateKey(KeyVersion(2)))
        .expect("nothing is left behind now");

    log.system(Command::RetireAuthority(vec![1])).expect("retired");
    assert!(log.state.authority_under_way().is_none());
    let left: Vec<_> = log.state.join_tokens().map(|it| it.hash).collect();
    assert_eq!(left, [[2; 32]], "tokens that name the old authority are gone");
    let told: Vec<_> = log.state.events().filter(|it| it.subject == Kind::Authority).collect();
    assert_eq!(told.len(), 2, "its beginning and its end");
}

#[test]
fn no_authority_is_announced_while_the_keys_are_rotated() {
    let mut log = Log::new();
    log.admin(Command::RotateKey(KeyVersion(2))).expect("rotated");
    assert_eq!(log.admin(rotate()), Err(Rejection::Stale));
    let moved = vec![(crate::SealedAt::Authority, sealed("authority", 2))];
    log.system(Command::Rewrap(moved)).expect("moved");
    assert_eq!(log.admin(rotate()), Err(Rejection::Stale), "the old key may be in use");
    log.system(Command::RetireKeys(KeyVersion(2))).expect("retired");
    assert_eq!(
        log.admin(rotate()),
        Err(Rejection::Stale),
        "its key is under an old one"
    );
    let other = Command::RotateAuthority {
        replaces: vec![9],
        next: next(),
        bridge: Vec::new(),
    };
    assert_eq!(log.admin(other), Err(Rejection::Stale), "another one signs by now");
}
