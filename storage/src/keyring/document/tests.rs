use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const CLUSTER: ClusterId = ClusterId(Uuid::from_u128(7));
/// Made by another implementation (pyca/cryptography) from the description at the top of `document.rs`: keys that count
/// up from 0 and from 50, a lock key that counts up from 200.
const LOCKED: &str = include_str!("locked.txt");
const PASSPHRASE: &str = "correct horse battery staple";

fn counting(from: u8) -> Key {
    Key::fill(|key| (from..).zip(key).for_each(|(value, byte)| *byte = value))
}

fn plain() -> Ring {
    Ring {
        cluster: CLUSTER,
        current: KeyVersion(2),
        retired: BTreeSet::from([KeyVersion(1)]),
        root: counting(9),
        lock_generation: 4,
        body: Body::Plain(Keys::from([
            (KeyVersion(2), counting(0)),
            (KeyVersion(3), counting(50)),
        ])),
    }
}

fn text(ring: &Ring) -> Zeroizing<String> {
    print(ring, [4; NONCE]).expect("this can be written")
}

fn bad(text: &str) -> BadDocument {
    match parse(text.as_bytes(), CLUSTER) {
        Ok(_) => panic!("this must be refused: {text}"),
        Err(bad) => bad,
    }
}

/// The same lines with a checksum that fits.
fn with_checksum(lines: &str) -> String {
    format!("{lines}checksum {}\n", hex::encode(digest(&SHA256, lines.as_bytes())))
}

#[test]
fn a_locked_keyring_is_written_and_read_as_described() {
    let locked = parse(LOCKED.as_bytes(), CLUSTER).unwrap_or_else(|bad| panic!("{bad:?}"));
    assert!(locked.keys().is_none());
    assert_eq!(text(&locked).as_str(), LOCKED);
    let lock = locked.lock().expect("it is locked");
    let lock_key = lock.open(PASSPHRASE, CLUSTER).expect("there is memory");
    let lock_key = lock_key.expect("this is the passphrase");
    assert_eq!(lock_key, counting(200));
    let open = locked.unlocked(lock_key).expect("it opens");
    let keys = open.keys().expect("it is open");
    assert_eq!(
        (&keys[&KeyVersion(1)], &keys[&KeyVersion(2)]),
        (&counting(0), &counting(50))
    );
    assert_eq!(text(&open).as_str(), LOCKED, "the nonce is the same, so is the text");
}

#[test]
fn another_passphrase_or_cluster_does_not_open_the_lock() {
    let locked = parse(LOCKED.as_bytes(), CLUSTER).unwrap_or_else(|bad| panic!("{bad:?}"));
    let lock = locked.lock().expect("it is locked");
    let long = "x".repeat(1 << 20);
    for wrong in ["", "correct horse battery stapl", "Correct horse battery staple", &long] {
        assert!(matches!(lock.open(wrong, CLUSTER), Ok(None)), "{wrong}");
    }
    let other = ClusterId(Uuid::from_u128(8));
    assert!(matches!(lock.open(PASSPHRASE, other), Ok(None)));
}

#[test]
fn a_plain_keyring_comes_back() {
    let ring = plain();
    let text = text(&ring);
    let back = parse(text.as_bytes(), CLUSTER).unwrap_or_else(|bad| panic!("{bad:?}"));
    assert_eq!(back.status(), ring.status());
    assert!(back.keys() == ring.keys() && back.root == ring.root);
    assert_eq!(
        bad(&text.replace(&CLUSTER.to_string(), &Uuid::from_u128(8).to_string())),
        BadDocument::Damaged("its checksum does not match")
    );
    let elsewhere = ClusterId(Uuid::from_u128(8));
    let refused = parse(text.as_bytes(), elsewhere).err();
    assert_eq!(refused, Some(BadDocument::OtherCluster(CLUSTER)));
}

#[test]
fn a_file_with_one_key_is_read_as_the_first_version() {
    let key = counting(0);
    let line = format!("goblins-key-1:{}\n", hex::encode(key.expose()));
    let ring = parse(line.as_bytes(), CLUSTER).unwrap_or_else(|bad| panic!("{bad:?}"));
    assert_eq!(ring.status().versions, [KeyVersion(1)]);
    assert!(ring.keys().is_some_and(|it| it[&KeyVersion(1)] == key));
    // Both made by another implementation.
    assert_eq!(
        hex::encode(ring.root.expose()),
        "fda5e2950326f69551ffc5a8c4a6845e7b7dd0a15d970f557cc9a26b2541048e"
    );
    assert_eq!(
        hex::encode(*ring.derive("test 1")),
        "872a1580464297345d2e0e3e6ba4c0e83b556e453c8b93ebdae03ce98a042d61"
    );
    for wrong in ["goblins-key-1:", "goblins-key-1:00", "goblins-key-1:zz"] {
        assert_eq!(bad(wrong), BadDocument::Damaged("the key is not 64 hex digits"));
    }
}

#[test]
fn other_versions_are_told_apart_from_damage() {
    let newer = text(&plain()).replace("keyring-2", "keyring-3");
    assert_eq!(bad(&newer), BadDocument::Newer { found: 3, known: 2 });
    for damaged in [
        "",
        "\n",
        "goblins",
        "goblins-keyring-",
        "goblins-keyring-2",
        "goblins-keyring-2\n",
    ] {
        assert!(matches!(bad(damaged), BadDocument::Damaged(_)), "{damaged}");
    }
}

#[test]
fn lines_that_contradict_each_other_are_refused_even_with_a_right_checksum() {
    let text = text(&plain());
    let lines = text.split("checksum").next().expect("there is text");
    assert!(parse(with_checksum(lines).as_bytes(), CLUSTER).is_ok());
    for (from, to) in [
        ("current 2", "current 4"),
        ("current 2", "current 02"),
        ("current 2", "current +2"),
        ("versions 2 3", "versions 3 2"),
        ("versions 2 3", "versions 2"),
        ("retired 1", "retired 2"),
        ("retired 1", "retired "),
        ("key 2", "key 1"),
        ("key 3", "key 2"),
        ("lock-generation 4", "lock-generation 99999999999999999999"),
        ("\nkey", "\n\nkey"),
        ("key 3", "key  3"),
        ("keyring-2\n", "keyring-2\r\n"),
    ] {
        assert!(lines.contains(from), "{from}");
        let changed = with_checksum(&lines.replacen(from, to, 1));
        assert!(matches!(bad(&changed), BadDocument::Damaged(_)), "{from} -> {to}");
    }
}

#[test]
fn a_lock_that_would_cost_a_host_is_refused() {
    let lines = LOCKED.split("checksum").next().expect("there is text");
    assert!(lines.contains("argon2id 64 2 1"));
    for cost in [
        "argon2id 4294967295 2 1",
        "argon2id 64 4294967295 1",
        "argon2id 64 2 17",
        "argon2id 4 2 1",
        "argon2d 64 2 1",
    ] {
        let changed = with_checksum(&lines.replacen("argon2id 64 2 1", cost, 1));
        assert!(matches!(bad(&changed), BadDocument::Damaged(_)), "{cost}");
    }
}

#[test]
fn what_stands_above_the_keys_cannot_be_changed_under_a_lock() {
    let lines = LOCKED.split("checksum").next().expect("there is text");
    for (from, to) in [
        ("current 2", "current 1"),
        ("retired -", "retired 9"),
        ("generation 1", "generation 2"),
        ("root f", "root e"),
    ] {
        let changed = with_checksum(&lines.replacen(from, to, 1));
        let ring = parse(changed.as_bytes(), CLUSTER).unwrap_or_else(|bad| panic!("{from}: {bad:?}"));
        let opened = ring.unlocked(counting(200));
        assert!(matches!(opened, Err(KeyringError::Tampered)), "{from} -> {to}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_keyring(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(matches!(parse(&bytes, CLUSTER), Err(BadDocument::Damaged(_))));
    }

    /// With the right beginning and the right checksum, so that every line is reached.
    #[test]
    fn arbitrary_lines_are_no_keyring(lines in "(cluster|current|versions|retired|root|lock|key|sealed| |[0-9a-f\n-]){0,60}\n") {
        let whole = with_checksum(&format!("goblins-keyring-2\n{lines}"));
        prop_assert!(matches!(parse(whole.as_bytes(), CLUSTER), Err(BadDocument::Damaged(_))));
    }

    #[test]
    fn one_changed_byte_is_noticed(
        is_locked in any::<bool>(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let text = if is_locked { LOCKED.to_owned() } else { text(&plain()).to_string() };
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(parse(&bytes, CLUSTER).is_err());
    }

    #[test]
    fn one_changed_byte_under_a_right_checksum_is_noticed_or_inert(at in any::<prop::sample::Index>(), to in "[0-9a-f \n-]") {
        let lines = LOCKED.split("checksum").next().unwrap_or_default();
        let at = at.index(lines.len());
        let changed = format!("{}{to}{}", &lines[..at], &lines[at + 1..]);
        prop_assume!(changed != lines);
        if let Ok(ring) = parse(with_checksum(&changed).as_bytes(), CLUSTER) {
            prop_assert!(ring.unlocked(counting(200)).is_err());
        }
    }

    #[test]
    fn a_part_of_a_keyring_is_none(is_locked in any::<bool>(), cut in any::<prop::sample::Index>()) {
        let text = if is_locked { LOCKED.to_owned() } else { text(&plain()).to_string() };
        let part = &text[..cut.index(text.len())];
        prop_assert!(matches!(parse(part.as_bytes(), CLUSTER), Err(BadDocument::Damaged(_))), "{}", part);
    }
}
