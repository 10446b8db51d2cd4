//! What nodes hand each other.

use super::*;

/// Another node that was given everything.
fn peer_of(home: &Home) -> Home {
    let bytes = home.keyring.export_bundle().and_then(|it| it.to_bytes());
    let bundle = KeyBundle::from_bytes(&bytes.expect("it is open")).expect("it was just made");
    Home::of(&bundle)
}

fn import(from: &Home, to: &Keyring) -> Result<(), KeyringError> {
    to.import_bundle(&from.keyring.export_bundle().expect("it is open"), Import::Add)
}

fn unlock_from(from: &Home, to: &Keyring) -> Result<(), KeyringError> {
    to.import_bundle(&from.keyring.export_bundle().expect("it is open"), Import::Unlock)
}

#[test]
fn a_node_that_joins_has_the_same_keys_and_the_same_lock() {
    let home = Home::new();
    let first = sealed(&home.keyring);
    home.add(2);
    home.keyring.set_current(KeyVersion(2)).expect("it is there");
    home.lock(PASSPHRASE);
    let peer = peer_of(&home);
    assert_eq!(peer.keyring.status(), home.keyring.status());
    assert_opens(&peer.keyring, &first);
    assert_opens(&home.keyring, &sealed(&peer.keyring));
    assert_eq!(peer.keyring.derive("x, version 1"), home.keyring.derive("x, version 1"));
    let again = peer.restarted();
    assert!(again.is_locked(), "never in the open on the disk of the new node");
    again.unlock(PASSPHRASE).expect("this is it");
}

#[test]
fn a_node_that_missed_a_rotation_catches_up_and_keeps_what_it_has() {
    let home = Home::new();
    let peer = peer_of(&home);
    let extra = peer.add(3);
    let old = sealed(&peer.keyring);
    home.add(2);
    home.keyring.set_current(KeyVersion(2)).expect("it is there");
    home.keyring.retire(KeyVersion(1)).expect("it is not the current one");
    import(&home, &peer.keyring).expect("it is of this cluster");
    let status = peer.restarted().status();
    assert_eq!(status.versions, [1, 2, 3].map(KeyVersion));
    assert_eq!(status.current, KeyVersion(2));
    assert_opens(&peer.keyring, &old);
    assert_eq!(peer.keyring.add_key(KeyVersion(3), &extra).ok(), Some(()));
    let bundle = home.keyring.export_bundle().expect("it is open");
    peer.keyring.import_bundle(&bundle, Import::Replace).expect("told so");
    assert_eq!(peer.restarted().status(), home.keyring.status());
}

#[test]
fn what_was_retired_here_does_not_come_back_and_the_current_key_never_goes_back() {
    let home = Home::new();
    let peer = peer_of(&home);
    home.add(2);
    home.keyring.set_current(KeyVersion(2)).expect("it is there");
    home.keyring.retire(KeyVersion(1)).expect("it is not the current one");
    let before = home.keyring.status();
    import(&peer, &home.keyring).expect("it is of this cluster");
    assert_eq!(home.restarted().status(), before);
}

#[test]
fn keys_that_contradict_ours_are_refused() {
    let home = Home::new();
    let peer = peer_of(&home);
    home.add(2);
    peer.add(2);
    let refused = import(&home, &peer.keyring);
    assert!(matches!(refused, Err(KeyringError::Conflict(KeyVersion(2)))));
    let stranger = Home::new();
    let refused = import(&stranger, &peer.keyring);
    assert!(matches!(refused, Err(KeyringError::OtherRoot)), "{refused:?}");
    let other = ClusterId(Uuid::from_u128(8));
    let bundle = KeyBundle::generate(other).expect("there are random numbers");
    for import in [Import::Add, Import::Replace] {
        let refused = peer.keyring.import_bundle(&bundle, import);
        assert!(matches!(refused, Err(KeyringError::OtherCluster { found, .. }) if found == other));
    }
    let refused = Keyring::create(&home.path(), CLUSTER, &bundle);
    assert!(matches!(refused, Err(KeyringError::OtherCluster { .. })));
}

#[test]
fn the_newer_passphrase_wins() {
    let home = Home::new();
    let peer = peer_of(&home);
    home.lock(PASSPHRASE);
    import(&home, &peer.keyring).expect("it is of this cluster");
    let again = peer.restarted();
    again.unlock(PASSPHRASE).expect("the passphrase came along");
    import(&peer, &home.keyring).expect("it is of this cluster");
    home.lock("another passphrase");
    import(&peer, &home.keyring).expect("it is of this cluster");
    home.restarted()
        .unlock("another passphrase")
        .expect("an older one changes nothing");
    home.keyring.remove_lock("another passphrase").expect("this is it");
    import(&home, &peer.keyring).expect("it is of this cluster");
    assert!(!peer.restarted().is_locked());
}

#[test]
fn one_open_node_opens_a_locked_one() {
    let home = Home::locked_with(PASSPHRASE);
    let sealed = sealed(&home.keyring);
    let peer = peer_of(&home);
    let again = peer.restarted();
    home.add(2);
    assert!(matches!(import(&home, &again), Err(KeyringError::Locked)) && again.is_locked());
    unlock_from(&home, &again).expect("it has the same lock");
    assert_opens(&again, &sealed);
    assert_eq!(again.status(), home.keyring.status());
    assert!(peer.restarted().is_locked(), "only in memory");
}

#[test]
fn a_locked_node_takes_a_newer_passphrase_and_refuses_an_older_one() {
    let home = Home::locked_with(PASSPHRASE);
    let peer = peer_of(&home);
    home.lock("another passphrase");
    let (ours, theirs) = (home.restarted(), peer.restarted());
    let refused = unlock_from(&peer, &ours);
    assert!(matches!(refused, Err(KeyringError::Stale)) && ours.is_locked());
    unlock_from(&home, &theirs).expect("it is newer");
    peer.restarted().unlock("another passphrase").expect("it came along");
}

#[test]
fn a_locked_node_does_not_lose_a_key_that_the_other_lacks() {
    let home = Home::locked_with(PASSPHRASE);
    let peer = peer_of(&home);
    peer.add(2);
    let again = peer.restarted();
    assert!(matches!(unlock_from(&home, &again), Err(KeyringError::Stale)));
    again.unlock(PASSPHRASE).expect("it is as before");
    assert_eq!(again.status().versions, [KeyVersion(1), KeyVersion(2)]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_bundle(mut bytes in prop::collection::vec(any::<u8>(), 0..300), is_ours in any::<bool>()) {
        if is_ours && bytes.len() > 1 {
            bytes[0] = 1;
            bytes[1] = 0;
        }
        if let Ok(bundle) = KeyBundle::from_bytes(&bytes) {
            prop_assert!(bundle.keys.contains_key(&bundle.current));
        }
    }

    #[test]
    fn a_part_of_a_bundle_is_none(cut in any::<prop::sample::Index>()) {
        let bytes = KeyBundle::of_one_key(CLUSTER, &[9; 32]).to_bytes()?;
        let part = &bytes[..cut.index(bytes.len())];
        prop_assert!(matches!(KeyBundle::from_bytes(part), Err(KeyringError::BadBundle)));
    }
}
