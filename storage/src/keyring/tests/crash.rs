//! A crash can come between any two steps of a write. Each step's result is put on the disk by hand, and a daemon that
//! starts then must find the old keyring or the new one, whole.

use super::*;

/// Everything that a crash during the replacement of `old` by `new` can leave behind: what is in the file, and what
/// lies beside it.
fn left_behind(old: &[u8], new: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut states = vec![(old.to_vec(), None)];
    // Not all of what was written aside is there before it was synced.
    states.extend((0..=new.len()).map(|length| (old.to_vec(), Some(new[..length].to_vec()))));
    // Nor need a disk write in order.
    states.push((old.to_vec(), Some(vec![0; new.len()])));
    // Synced, so whole, and renamed.
    states.push((new.to_vec(), None));
    states
}

fn check(change: impl Fn(&Keyring), passphrase: Option<&str>) {
    let home = Home::new();
    if let Some(passphrase) = passphrase {
        home.lock(passphrase);
    }
    let sealed = sealed(&home.keyring);
    let (old, old_status) = (home.bytes(), home.restarted().status());
    change(&home.keyring);
    let (new, new_status) = (home.bytes(), home.restarted().status());
    assert_ne!(old, new, "something must have changed");
    for (file, aside) in left_behind(&old, &new) {
        let is_new = file == new;
        std::fs::write(home.path(), file).expect("this can be written");
        if let Some(aside) = aside {
            std::fs::write(home.path().with_extension("tmp"), aside).expect("this can be written");
        }
        let found = home.restarted();
        assert_eq!(&found.status(), if is_new { &new_status } else { &old_status });
        assert!(
            !home.path().with_extension("tmp").exists(),
            "no keys are left beside it"
        );
        if found.is_locked() {
            found.unlock(PASSPHRASE).expect("this is it");
        }
        assert_opens(&found, &sealed);
        // And it can be gone on with.
        change(&found);
        assert_eq!(home.restarted().status().versions, new_status.versions);
    }
}

#[test]
fn while_a_key_is_added() {
    check(
        |keyring| keyring.add_key(KeyVersion(2), &[5; 32]).expect("it is new or the same"),
        None,
    );
}

#[test]
fn while_a_locked_keyring_gets_a_key() {
    check(
        |keyring| keyring.add_key(KeyVersion(2), &[5; 32]).expect("it is new or the same"),
        Some(PASSPHRASE),
    );
}

#[test]
fn while_a_passphrase_is_set() {
    check(
        |keyring| {
            keyring.lock_at_cost(PASSPHRASE, CHEAP).expect("it is open");
        },
        None,
    );
}

#[test]
fn while_a_passphrase_is_taken_away() {
    check(
        |keyring| keyring.remove_lock(PASSPHRASE).expect("this is it"),
        Some(PASSPHRASE),
    );
}

#[test]
fn a_write_that_fails_changes_nothing() {
    let home = Home::new();
    // A folder that is not empty cannot be replaced by a file that is written aside.
    let aside = home.path().with_extension("tmp");
    std::fs::create_dir_all(aside.join("in the way")).expect("this can be made");
    let refused = home.keyring.add_key(KeyVersion(2), &[5; 32]);
    assert!(matches!(refused, Err(KeyringError::Write { .. })), "{refused:?}");
    assert_eq!(home.keyring.status().versions, [KeyVersion(1)], "nor in memory");
    std::fs::remove_dir_all(aside).expect("it is ours");
    home.keyring
        .add_key(KeyVersion(2), &[5; 32])
        .expect("nothing is in the way");
    assert_eq!(home.restarted().status().versions, [KeyVersion(1), KeyVersion(2)]);
}
