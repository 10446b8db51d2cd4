use std::fs;
use std::path::PathBuf;

use model::{AccountId, ConfigId, Project, ProjectId, SecretId, SecretValueId};
use model::{Authority, Cluster, KeyVersion, KeyringState, NodeId, Resource, Sealed, SecretItemId, SecretValue};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{KeyBundle, KeyDocument, KeyringError};

const CLUSTER: ClusterId = ClusterId(Uuid::from_u128(7));
const PASSPHRASE: &str = "correct horse battery staple";

fn sealed(key: u32) -> Sealed {
    Sealed {
        key: KeyVersion(key),
        wrapped: vec![1; 60],
        value: vec![2; 40],
    }
}

/// A cluster with some projects, and values under keys 2 and 3.
fn state(projects: u128) -> State {
    let project = |id: u128| Project {
        id: ProjectId(Uuid::from_u128(id)),
        account: AccountId(Uuid::from_u128(1)),
        name: format!("project {id}"),
        default_config: ConfigId(Uuid::from_u128(2)),
        default_secret: SecretId(Uuid::from_u128(3)),
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        revision: Revision(1),
    };
    let value = |id: u128, key| SecretValue {
        id: SecretValueId {
            item: SecretItemId(Uuid::from_u128(id)),
            version: 1,
        },
        key: "KEY".to_owned(),
        sealed: sealed(key),
    };
    let cluster = Cluster {
        id: CLUSTER,
        created_at: Timestamp(1),
        next_node: NodeId(4),
        authority: Authority {
            certificate: vec![5; 30],
            key: sealed(1),
        },
        keyring: KeyringState::default(),
    };
    let resources = (0..projects).map(|id| Resource::from(project(id)));
    let values = [(1, 2), (2, 3), (3, 2)].map(|(id, key)| Resource::from(value(id, key)));
    let all = resources.chain(values).chain([Resource::from(cluster)]);
    State::from_resources(Revision(42), Timestamp(420), all)
}

fn header(state: &State) -> BackupHeader {
    BackupHeader::of(state, CLUSTER, 3, Timestamp(430), "0.1.0")
}

fn bytes(state: &State, keyring: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_backup(&mut bytes, &header(state), keyring, state).expect("memory takes everything");
    bytes
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("a.backup");
        fs::write(&path, bytes).expect("it can be written");
        path
    }

    /// Opens and reads all of it.
    fn read(&self, bytes: &[u8]) -> Result<(BackupHeader, State), BackupError> {
        let backup = Backup::open(&self.file(bytes))?;
        Ok((backup.header().clone(), backup.state()?))
    }
}

/// Written by hand from the description at the top of `backup.rs`.
#[test]
fn the_format_is_the_one_that_is_described() {
    let state = state(1);
    let bytes = bytes(&state, Some("a keyring\n"));
    let header = "{\"format\":1,\"cluster\":\"00000000-0000-0000-0000-000000000007\",\"index\":42,\"term\":3,\
                  \"created_at\":430,\"program\":\"0.1.0\",\"keys\":[2,3],\"objects\":5}";
    let mut begin = b"GOBBACK\n".to_vec();
    for part in [header, "a keyring\n"] {
        begin.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        begin.extend(part.as_bytes());
    }
    begin.extend(b"GOBSNAP\x01");
    assert_eq!(
        String::from_utf8_lossy(&bytes[..begin.len()]),
        String::from_utf8_lossy(&begin)
    );
    let (covered, checksum) = bytes.split_at(bytes.len() - 32);
    assert!(covered.ends_with(b"GOBBKEND"));
    assert_eq!(ring::digest::digest(&SHA256, covered).as_ref(), checksum);
}

#[test]
fn a_backup_comes_back_whole() {
    let place = Place::new();
    let state = state(1_000);
    let (header, read) = place.read(&bytes(&state, None)).expect("it is whole");
    assert_eq!(read, state);
    assert_eq!(
        header.keys,
        [KeyVersion(2), KeyVersion(3)],
        "the authority's does not matter"
    );
    assert_eq!((header.index, header.term, header.objects), (Revision(42), 3, 1_004));

    let backup = Backup::open(&place.file(&bytes(&state, Some("the keyring")))).expect("it is whole");
    assert_eq!(backup.keyring(), Some(&b"the keyring"[..]));
    let mut count = 0;
    backup.for_each(|_| count += 1).expect("readable");
    assert_eq!(count, 1_004);
}

#[test]
fn one_that_was_cut_short_anywhere_is_refused() {
    let place = Place::new();
    let whole = bytes(&state(3), Some("the keyring"));
    for length in 0..whole.len() {
        match place.read(&whole[..length]) {
            Err(BackupError::Foreign(_)) if length < MAGIC.len() => {}
            Err(BackupError::CutShort(_)) if length >= MAGIC.len() => {}
            other => panic!("{length} of {} bytes: {other:?}", whole.len()),
        }
    }
    let longer = [&*whole, b"x"].concat();
    assert!(matches!(place.read(&longer), Err(BackupError::CutShort(_))));
}

#[test]
fn one_that_was_altered_in_any_bit_is_refused() {
    let place = Place::new();
    let whole = bytes(&state(1), Some("the keyring"));
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut altered = whole.clone();
            altered[at] ^= 1 << bit;
            assert!(place.read(&altered).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn foreign_files_and_those_of_a_newer_version_are_told_apart() {
    let place = Place::new();
    for foreign in [&b""[..], b"GOB", b"#!/bin/sh\necho goblins\n", &[0; 4096]] {
        assert!(
            matches!(place.read(foreign), Err(BackupError::Foreign(_))),
            "{foreign:?}"
        );
    }
    let folder = Backup::open(place.0.path()).expect_err("a folder is no backup");
    assert!(
        matches!(folder, BackupError::Foreign(_) | BackupError::Io { .. }),
        "{folder}"
    );
    let state = state(1);
    let mut newer = Vec::new();
    let of_tomorrow = BackupHeader {
        format: FORMAT + 1,
        ..header(&state)
    };
    write_backup(&mut newer, &of_tomorrow, None, &state).expect("written");
    let refused = place.read(&newer).expect_err("it is of tomorrow").to_string();
    assert!(
        refused.contains("format 2") && refused.contains("newer version"),
        "{refused}"
    );

    // Made by hand, with a checksum that is right.
    let mut lies = Vec::new();
    let lie = BackupHeader {
        index: Revision(43),
        ..header(&state)
    };
    write_backup(&mut lies, &lie, None, &state).expect("written");
    assert!(matches!(place.read(&lies), Err(BackupError::Damaged { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done to a file, it is refused or says what it said.
    #[test]
    fn nothing_is_read_that_was_not_written(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let place = Place::new();
        let state = state(2);
        let whole = bytes(&state, None);
        let mut altered = whole.clone();
        for (at, byte) in cuts {
            let at = at.index(altered.len());
            altered[at] = byte;
        }
        altered.truncate(end.index(altered.len()) + 1);
        match place.read(&altered) {
            Ok((_, read)) => prop_assert!(altered == whole && read == state),
            Err(_) => prop_assert!(altered != whole),
        }
    }
}

#[test]
fn keys_travel_under_a_passphrase_only() {
    let bundle = KeyBundle::generate(CLUSTER).expect("there are random numbers");
    let document = bundle.to_document(PASSPHRASE).expect("long enough");
    assert!(matches!(
        bundle.to_document("short"),
        Err(KeyringError::PassphraseLength { .. })
    ));
    let read = || KeyDocument::read(document.as_bytes(), CLUSTER).expect("readable");
    assert!(read().is_locked());
    assert!(matches!(read().open(None), Err(KeyringError::Locked)));
    assert!(read().open(Some("another passphrase")).expect("checked").is_none());
    let opened = read().open(Some(PASSPHRASE)).expect("checked").expect("the right one");
    assert_eq!(opened.versions(), bundle.versions());
    assert!(matches!(
        KeyDocument::read(document.as_bytes(), ClusterId(Uuid::from_u128(8))),
        Err(KeyringError::OtherCluster { .. })
    ));
    assert!(matches!(
        KeyDocument::read(&document.as_bytes()[1..], CLUSTER),
        Err(KeyringError::BadBundle)
    ));

    // In another cluster the same keys open what they sealed, and nothing else is the same.
    let other = ClusterId(Uuid::from_u128(9));
    let folder = tempfile::tempdir().expect("a folder for the test");
    let at = |name: &str| folder.path().join(name);
    let old = crate::Keyring::create(&at("old"), CLUSTER, &bundle).expect("written");
    let moved = opened.for_cluster(other, Some(PASSPHRASE)).expect("drawn");
    let new = crate::Keyring::create(&at("new"), other, &moved).expect("written");
    let value = old.seal(b"context", b"value").expect("sealed");
    assert_eq!(new.open(b"context", &value).as_deref(), Ok(&b"value".to_vec()));
    assert_ne!(*new.derive("x"), *old.derive("x"), "another root");
    assert!(new.status().autolock && !old.status().autolock);
    let again = crate::Keyring::load(&at("new"), other).expect("readable");
    assert!(again.is_locked());
    again.unlock(PASSPHRASE).expect("the right one");
    assert_eq!(again.open(b"context", &value).as_deref(), Ok(&b"value".to_vec()));
    let open = opened.for_cluster(other, None).expect("drawn");
    assert!(
        !crate::Keyring::create(&at("open"), other, &open)
            .expect("written")
            .status()
            .autolock
    );
}
