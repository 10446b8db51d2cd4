//! Rotating the cluster's keys, and taking nodes out.

use super::*;
use crate::{SealedAt, SealedItem, SecretItemId, SecretValueId};

#[test]
fn a_rotation_rewraps_everything_before_the_old_key_goes() {
    let mut log = Log::new();
    let secret = log.state.projects().next().expect("there").default_secret;
    let id = SecretValueId {
        item: SecretItemId(Uuid::from_u128(1)),
        version: 1,
    };
    let item = SealedItem {
        id,
        key: "PW".to_owned(),
        sealed: sealed("a", 1),
    };
    log.admin(Command::CreateSecretItem(secret, item)).expect("made");
    assert_eq!(log.admin(Command::RotateKey(KeyVersion(3))), Err(Rejection::Stale));
    log.admin(Command::RotateKey(KeyVersion(2))).expect("rotated");
    assert!(matches!(
        log.system(Command::RetireKeys(KeyVersion(2))),
        Err(Rejection::InUse { .. })
    ));
    let other_value = (SealedAt::Value(id), sealed("b", 2));
    log.system(Command::Rewrap(vec![other_value])).expect("passed over");
    assert_eq!(log.state.values_sealed_before(KeyVersion(2)).count(), 1);
    let rewrapped = vec![
        (SealedAt::Value(id), sealed("a", 2)),
        (SealedAt::Authority, sealed("authority", 2)),
    ];
    log.system(Command::Rewrap(rewrapped)).expect("rewrapped");
    assert_eq!(log.state.values_sealed_before(KeyVersion(2)).count(), 0);
    log.system(Command::RetireKeys(KeyVersion(2))).expect("retired");
    let keyring = &log.state.cluster().expect("there").keyring;
    assert_eq!((keyring.current, keyring.oldest), (KeyVersion(2), KeyVersion(2)));
    let lock = Some(Uuid::from_u128(4));
    log.admin(Command::SetKeyringLock(lock)).expect("locked");
    assert_eq!(log.state.cluster().expect("there").keyring.lock, lock);
}

#[test]
fn a_node_leaves_when_it_is_empty_or_down() {
    let mut log = Log::new();
    let node = log.node("a", 100);
    let service = log.service("web");
    let replica = log.place(&service, node);
    match log.admin(Command::RemoveNode(node)) {
        Err(Rejection::InUse { used_by, .. }) => assert!(used_by.contains("web"), "{used_by}"),
        other => panic!("in use, not {other:?}"),
    }
    let lease = log.state.node(node).expect("there").lease;
    log.system(Command::MarkNodeDown(node, lease)).expect("down");
    let touched = log.state.service(service.id).expect("there").touched;
    log.admin(Command::RemoveNode(node)).expect("removed");
    assert!(log.state.node(node).is_none() && log.state.replica(replica.id).is_none());
    assert!(log.state.service(service.id).expect("there").touched > touched);
    assert_eq!(log.node("a", 100), NodeId(2), "never the old id");
}
