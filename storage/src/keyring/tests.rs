mod crash;
mod peers;

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use proptest::prelude::*;
use tempfile::TempDir;

use super::lock::Cost;
use super::*;

const CLUSTER: ClusterId = ClusterId(Uuid::from_u128(7));
const PASSPHRASE: &str = "correct horse battery staple";
const CONTEXT: &[u8] = b"context of the test";
/// A guess need not cost anything here.
const CHEAP: Cost = Cost {
    memory: 8,
    passes: 1,
    lanes: 1,
};

/// A keyring in a folder of its own.
struct Home {
    dir: TempDir,
    keyring: Keyring,
}

impl Home {
    fn new() -> Self {
        let bundle = KeyBundle::generate(CLUSTER).expect("there are random numbers");
        Self::of(&bundle)
    }

    fn of(bundle: &KeyBundle) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let keyring = Keyring::create(&dir.path().join("keyring"), CLUSTER, bundle).expect("this can be written");
        Self { dir, keyring }
    }

    fn locked_with(passphrase: &str) -> Self {
        let home = Self::new();
        home.lock(passphrase);
        home
    }

    fn lock(&self, passphrase: &str) {
        let lock = self.keyring.lock_at_cost(passphrase, CHEAP);
        assert_eq!(lock.ok(), self.keyring.status().lock);
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("keyring")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("it is there")
    }

    /// What a daemon finds that starts now.
    fn restarted(&self) -> Keyring {
        Keyring::load(&self.path(), CLUSTER).expect("it can be read")
    }

    fn add(&self, version: u32) -> [u8; 32] {
        let key = *Keyring::new_key().expect("there are random numbers");
        self.keyring.add_key(KeyVersion(version), &key).expect("it is new");
        key
    }
}

fn sealed(keyring: &Keyring) -> Sealed {
    keyring.seal(CONTEXT, b"value").expect("it is open")
}

#[track_caller]
fn assert_opens(keyring: &Keyring, sealed: &Sealed) {
    assert!(keyring.open(CONTEXT, sealed).is_ok_and(|it| it.as_slice() == b"value"));
}

#[test]
fn a_new_keyring_seals_and_is_the_same_after_a_restart() {
    let home = Home::new();
    let sealed = sealed(&home.keyring);
    assert_eq!(sealed.key, KeyVersion(1));
    let again = home.restarted();
    assert_opens(&again, &sealed);
    assert_eq!(again.status(), home.keyring.status());
    assert_eq!(again.derive("x, version 1"), home.keyring.derive("x, version 1"));
    assert_ne!(again.derive("x, version 1"), again.derive("x, version 2"));
    let secret = |keyring: &Keyring, input: &[u8]| keyring.derive_secret("x, version 1", input).expect("unlocked");
    assert_eq!(secret(&again, b"a"), secret(&home.keyring, b"a"));
    assert_ne!(secret(&again, b"a"), secret(&again, b"b"));
    let mode = std::fs::metadata(home.path())
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_keyring_that_others_could_read_is_closed_to_them() {
    let home = Home::new();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    home.restarted();
    let mode = std::fs::metadata(home.path())
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn rotation_keeps_what_is_old_open_until_its_key_is_retired() {
    let home = Home::new();
    let keyring = &home.keyring;
    let old = sealed(keyring);
    let root = keyring.derive("x, version 1");
    assert_eq!(keyring.rewrap(CONTEXT, &old), Ok(None));
    home.add(2);
    assert_eq!(
        sealed(keyring).key,
        KeyVersion(1),
        "not used until it is the current one"
    );
    keyring.set_current(KeyVersion(2)).expect("it is there");
    assert_eq!(sealed(keyring).key, KeyVersion(2));
    assert_opens(keyring, &old);
    let moved = keyring.rewrap(CONTEXT, &old).expect("both keys are there");
    let moved = moved.expect("it was under the old one");
    assert_eq!((moved.key, &moved.value), (KeyVersion(2), &old.value));
    assert_eq!(keyring.rewrap(b"elsewhere", &old), Err(SealError::DoesNotOpen));
    keyring.retire(KeyVersion(1)).expect("it is not the current one");
    let again = home.restarted();
    assert_opens(&again, &moved);
    assert_eq!(again.open(CONTEXT, &old), Err(SealError::UnknownKey(KeyVersion(1))));
    assert_eq!(again.rewrap(CONTEXT, &old), Err(SealError::UnknownKey(KeyVersion(1))));
    assert_eq!(again.derive("x, version 1"), root, "outlives rotation");
    assert_eq!(again.status().retired, [KeyVersion(1)]);
}

#[test]
fn every_change_can_be_asked_for_twice() {
    let home = Home::new();
    let key = home.add(2);
    let before = home.bytes();
    home.keyring.add_key(KeyVersion(2), &key).expect("it has it");
    assert_eq!(home.bytes(), before, "nothing was written");
    for _ in 0..2 {
        home.keyring.set_current(KeyVersion(2)).expect("it is there");
    }
    for _ in 0..2 {
        home.keyring.retire(KeyVersion(1)).expect("it is not the current one");
    }
}

#[test]
fn changes_that_would_lose_something_are_refused() {
    let home = Home::new();
    let keyring = &home.keyring;
    home.add(2);
    let (one, two, three) = (KeyVersion(1), KeyVersion(2), KeyVersion(3));
    assert!(matches!(keyring.retire(one), Err(KeyringError::InUse(it)) if it == one));
    assert!(matches!(keyring.retire(three), Err(KeyringError::UnknownKey(it)) if it == three));
    assert!(matches!(keyring.set_current(three), Err(KeyringError::UnknownKey(it)) if it == three));
    assert!(matches!(keyring.add_key(two, &[1; 32]), Err(KeyringError::Conflict(it)) if it == two));
    assert!(matches!(
        keyring.add_key(KeyVersion(0), &[1; 32]),
        Err(KeyringError::BadVersion(_))
    ));
    keyring.retire(two).expect("it is not the current one");
    assert!(matches!(
        keyring.add_key(two, &[1; 32]),
        Err(KeyringError::BadVersion(_))
    ));
}

#[test]
fn after_a_restart_a_locked_keyring_waits_for_its_passphrase() {
    let home = Home::locked_with(PASSPHRASE);
    home.add(2);
    let sealed = sealed(&home.keyring);
    let key = home.keyring.export_bundle().expect("it is open").keys[&KeyVersion(1)].clone();
    let text = String::from_utf8(home.bytes()).expect("it is text");
    assert!(!text.contains(&hex::encode(key.expose())), "no key lies in the open");
    let again = home.restarted();
    let status = again.status();
    assert!(again.is_locked() && status.locked && status.autolock);
    assert_eq!(
        (status.versions, status.lock_generation),
        (vec![KeyVersion(1), KeyVersion(2)], 1)
    );
    assert_eq!(again.open(CONTEXT, &sealed), Err(SealError::Locked));
    assert_eq!(again.seal(CONTEXT, b"value"), Err(SealError::Locked));
    assert_eq!(again.rewrap(CONTEXT, &sealed), Err(SealError::Locked));
    assert!(matches!(
        again.add_key(KeyVersion(3), &[1; 32]),
        Err(KeyringError::Locked)
    ));
    assert!(matches!(again.set_current(KeyVersion(2)), Err(KeyringError::Locked)));
    assert!(matches!(again.retire(KeyVersion(2)), Err(KeyringError::Locked)));
    assert!(matches!(again.lock_with(PASSPHRASE), Err(KeyringError::Locked)));
    assert!(matches!(again.export_bundle(), Err(KeyringError::Locked)));
    assert_eq!(
        again.derive("x, version 1"),
        home.keyring.derive("x, version 1"),
        "traffic goes on"
    );
    assert!(SealError::Locked.to_string().contains("goblins keyring unlock"));
    again.unlock(PASSPHRASE).expect("this is it");
    assert_opens(&again, &sealed);
    again.retire(KeyVersion(2)).expect("it is open");
    assert!(home.restarted().is_locked());
}

#[test]
fn locked_at_once_the_keys_are_forgotten_until_the_passphrase_is_given() {
    let home = Home::new();
    assert!(matches!(home.keyring.seal_now(), Err(KeyringError::NoPassphrase)));
    home.lock(PASSPHRASE);
    let sealed = sealed(&home.keyring);
    for _ in 0..2 {
        home.keyring.seal_now().expect("it has a passphrase");
        assert_eq!(home.keyring.open(CONTEXT, &sealed), Err(SealError::Locked));
    }
    home.keyring.unlock(PASSPHRASE).expect("this is it");
    assert_opens(&home.keyring, &sealed);
}

#[test]
fn a_passphrase_is_replaced_and_taken_away() {
    let home = Home::locked_with(PASSPHRASE);
    let sealed = sealed(&home.keyring);
    let first = home.keyring.status().lock;
    home.lock("another passphrase");
    let again = home.restarted();
    assert!(first.is_some() && again.status().lock.is_some() && first != again.status().lock);
    assert!(matches!(
        again.unlock(PASSPHRASE),
        Err(KeyringError::WrongPassphrase { .. })
    ));
    let again = home.restarted();
    again.remove_lock("another passphrase").expect("this is it");
    assert!(!again.is_locked(), "who knows the passphrase need not unlock first");
    assert_opens(&again, &sealed);
    let plain = home.restarted();
    assert_opens(&plain, &sealed);
    assert_eq!((plain.status().autolock, plain.status().lock_generation), (false, 3));
    plain.unlock("whatever there is").expect("there is nothing to open");
    plain
        .remove_lock("whatever there is")
        .expect("there is nothing to take away");
}

#[test]
fn wrong_passphrases_are_answered_with_a_wait_and_not_looked_at_during_it() {
    let home = Home::locked_with(PASSPHRASE);
    let keyring = home.restarted();
    let error = keyring.unlock("a wrong passphrase").expect_err("it is wrong");
    assert!(matches!(error, KeyringError::WrongPassphrase { wait_seconds: 1 }));
    assert!(!error.to_string().contains("a wrong passphrase"));
    // The wait is made longer than any test takes.
    for _ in 0..10 {
        keyring
            .0
            .attempts
            .lock()
            .expect("nobody panicked")
            .failed(Instant::now());
    }
    let (right, gone) = (keyring.unlock(PASSPHRASE), keyring.remove_lock(PASSPHRASE));
    for answer in [right, gone] {
        assert!(
            matches!(answer, Err(KeyringError::TooManyAttempts { wait_seconds: 200.. })),
            "{answer:?}"
        );
    }
    assert!(keyring.is_locked());
}

#[test]
fn two_passphrases_are_not_checked_at_once() {
    let home = Home::locked_with(PASSPHRASE);
    let keyring = home.restarted();
    let checking = keyring.0.attempts.lock().expect("nobody panicked");
    let answer = keyring.unlock(PASSPHRASE);
    assert!(matches!(answer, Err(KeyringError::TooManyAttempts { wait_seconds: 1 })));
    drop(checking);
    keyring.unlock(PASSPHRASE).expect("this is it");
}

#[test]
fn a_passphrase_that_is_none_is_refused() {
    let home = Home::new();
    for wrong in ["", "eleven byte", &"x".repeat(1025)] {
        let answer = home.keyring.lock_with(wrong);
        assert!(matches!(
            answer,
            Err(KeyringError::PassphraseLength { min: 12, max: 1024 })
        ));
    }
    assert!(!home.keyring.status().autolock);
}

/// At the real cost, once.
#[test]
fn the_usual_lock_opens() {
    let home = Home::new();
    let sealed = sealed(&home.keyring);
    home.keyring.lock_with(PASSPHRASE).expect("there is memory");
    let text = String::from_utf8(home.bytes()).expect("it is text");
    assert!(text.contains("\nlock argon2id 65536 3 1 "), "{text}");
    let again = home.restarted();
    again.unlock(PASSPHRASE).expect("this is it");
    assert_opens(&again, &sealed);
}

#[test]
fn a_file_of_one_key_becomes_the_new_document_with_the_first_change() {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let path = dir.path().join("keyring");
    let line = format!("goblins-key-1:{}\n", hex::encode([9; 32]));
    std::fs::write(&path, &line).expect("this can be written");
    let old = Keyring::load(&path, CLUSTER).expect("it is understood");
    let sealed = sealed(&old);
    assert_eq!(
        std::fs::read_to_string(&path).ok(),
        Some(line),
        "reading changes nothing"
    );
    old.add_key(KeyVersion(2), &[8; 32]).expect("it is new");
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.starts_with("goblins-keyring-2\n"), "{text}");
    let again = Keyring::load(&path, CLUSTER).expect("it is understood");
    assert_opens(&again, &sealed);
    assert_eq!(again.derive("x, version 1"), old.derive("x, version 1"));
    let other = Home::of(&KeyBundle::of_one_key(CLUSTER, &[9; 32]));
    assert_eq!(other.keyring.derive("x, version 1"), old.derive("x, version 1"));
}

#[test]
fn no_key_is_shown_by_debug_or_by_an_error() {
    let home = Home::of(&KeyBundle::of_one_key(CLUSTER, &[0xab; 32]));
    home.lock(PASSPHRASE);
    let bundle = home.keyring.export_bundle().expect("it is open");
    let shown = format!("{:?} {:#?} {bundle:?} {bundle:#?}", home.keyring, home.keyring);
    let sealed = sealed(&home.keyring);
    let errors = [
        format!("{:?}", home.keyring.open(b"elsewhere", &sealed)),
        format!("{:?}", home.keyring.add_key(KeyVersion(1), &[0xac; 32])),
        format!("{:?}", home.restarted().unlock("abababababab")),
    ];
    for text in errors.iter().chain([&shown]) {
        for secret in ["abab", "acac", "171, 171", "172, 172", "value\"", PASSPHRASE] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(shown.contains("current: KeyVersion(1)"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn one_passphrase_opens_it_and_every_other_does_not(right in ".{12,40}", wrong in ".{0,40}") {
        prop_assume!(right != wrong);
        let home = Home::locked_with(&right);
        let keyring = home.restarted();
        keyring.unlock(&right)?;
        prop_assert!(!keyring.is_locked());
        let keyring = home.restarted();
        let is_refused = matches!(keyring.unlock(&wrong), Err(KeyringError::WrongPassphrase { .. }));
        prop_assert!(is_refused && keyring.is_locked());
    }
}
