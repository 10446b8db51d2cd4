//! What the fuzzers (`fuzzing`) do with bytes that come from disks, backups and other nodes.

use std::io::Write;
use std::path::Path;

use model::{ClusterId, Command, Envelope, NodeDraft, Outcome, Rejection, Resource, Sealed, Submission};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::seal::aead::{KEY, Key};
use crate::snapshot::format;
use crate::{Backup, KeyDocument, Meta, SnapshotHeader, decode, encode, seal};

const CLUSTER: ClusterId = ClusterId(Uuid::from_u128(7));
const KEY_BYTES: [u8; KEY] = [9; KEY];
const CONTEXT: &[u8] = b"context";

/// The first byte says which type the rest is read as. What can be read is written and read again as the same.
pub fn codec(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 8 {
        0 => both_ways::<Resource>(bytes),
        1 => both_ways::<Command>(bytes),
        2 => both_ways::<Submission>(bytes),
        3 => both_ways::<Envelope>(bytes),
        4 => both_ways::<NodeDraft>(bytes),
        5 => both_ways::<Result<Outcome, Rejection>>(bytes),
        6 => both_ways::<Meta>(bytes),
        _ => both_ways::<SnapshotHeader>(bytes),
    }
}

fn both_ways<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = decode::<T>(bytes) else { return };
    let written = encode(&value).expect("what was read can be written");
    let again = decode::<T>(&written).expect("what was written can be read");
    // Compared as bytes, because a number that is none is not equal to itself.
    assert_eq!(encode(&again).expect("still"), written);
}

/// A seed for [`codec`] of each type.
#[must_use]
pub fn codec_seeds(values: &[Resource]) -> Vec<Vec<u8>> {
    let meta = Meta {
        revision: model::Revision(42),
        now: model::Timestamp(420),
        consensus: vec![1, 2, 3],
    };
    let mut seeds: Vec<Vec<u8>> = values.iter().map(|it| seed(0, it)).collect();
    seeds.push(seed(1, &Command::Spend));
    seeds.push(seed(6, &meta));
    let header = SnapshotHeader {
        cluster: CLUSTER,
        meta,
        resources: 3,
    };
    seeds.push(seed(7, &header));
    seeds
}

fn seed(kind: u8, value: &impl Serialize) -> Vec<u8> {
    [vec![kind], encode(value).expect("seeds can be written")].concat()
}

/// Opens what may be a sealed value: the first two bytes say how long the wrapped key is. Nothing that was not sealed
/// opens; what was, does.
pub fn sealed(data: &[u8]) {
    let Some(([high, low], rest)) = data.split_first_chunk::<2>().map(|(a, b)| (*a, b)) else {
        return;
    };
    let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (wrapped, value) = rest.split_at(length);
    let sealed = Sealed {
        key: model::KeyVersion(1),
        wrapped: wrapped.to_vec(),
        value: value.to_vec(),
    };
    let key = Key::new(&KEY_BYTES);
    if let Ok(plain) = seal::open(&key, CONTEXT, &sealed) {
        assert_eq!(rest, &genuine()[2..], "only the one that was sealed opens");
        assert_eq!(plain.as_slice(), b"value");
    }
}

/// A seed for [`sealed`] that opens.
#[must_use]
pub fn sealed_seed() -> Vec<u8> {
    genuine()
}

fn genuine() -> Vec<u8> {
    let draw = seal::Draw {
        data_key: Key::new(&[3; KEY]),
        wrap_nonce: [1; 12],
        value_nonce: [2; 12],
    };
    let key = Key::new(&KEY_BYTES);
    let sealed = seal::seal(model::KeyVersion(1), &key, CONTEXT, b"value", &draw).expect("it can be sealed");
    let length = u16::try_from(sealed.wrapped.len()).unwrap_or(0).to_be_bytes();
    [length.as_slice(), &sealed.wrapped, &sealed.value].concat()
}

/// Reads what may be a snapshot.
pub fn snapshot(data: &[u8]) {
    let mut resources = 0_u64;
    let read = format::read_each(data, Path::new("fuzzed"), CLUSTER, |_| resources += 1);
    if let Ok(header) = read {
        assert_eq!(header.resources, resources);
        assert_eq!(header.cluster, CLUSTER);
    }
}

/// A whole snapshot of these.
#[must_use]
pub fn snapshot_seed(state: &model::State) -> Vec<u8> {
    let mut bytes = Vec::new();
    let meta = Meta {
        revision: state.revision(),
        now: state.now(),
        consensus: Vec::new(),
    };
    format::write(&mut bytes, Path::new("seed"), CLUSTER, state, &meta).expect("memory takes everything");
    bytes
}

/// Reads what may be a backup, from a file as everybody does. `folder` is for that file.
pub fn backup(data: &[u8], folder: &Path) {
    let path = folder.join("fuzzed.backup");
    let written = std::fs::File::create(&path).and_then(|mut it| it.write_all(data));
    written.expect("the folder takes files");
    let Ok(backup) = Backup::open(&path) else { return };
    if let Ok(state) = backup.state() {
        assert_eq!(state.revision(), backup.header().index);
    }
}

/// A whole backup of this state.
#[must_use]
pub fn backup_seed(state: &model::State) -> Vec<u8> {
    let header = crate::BackupHeader::of(state, CLUSTER, 3, model::Timestamp(430), "0.1.0");
    let mut bytes = Vec::new();
    crate::write_backup(&mut bytes, &header, None, state).expect("memory takes everything");
    bytes
}

/// The backup with a checksum that fits, so that what lies behind it is reached.
pub fn backup_with_checksum(data: &[u8], folder: &Path) {
    let digest = ring::digest::digest(&ring::digest::SHA256, &[data, b"GOBBKEND"].concat());
    backup(&[data, b"GOBBKEND", digest.as_ref()].concat(), folder);
}

/// The snapshot with a checksum that fits.
pub fn snapshot_with_checksum(data: &[u8]) {
    let digest = ring::digest::digest(&ring::digest::SHA256, data);
    snapshot(&[data, digest.as_ref()].concat());
}

/// Reads what may be a keyring file, or the keyring in a backup.
pub fn keyring(data: &[u8]) {
    if let Ok(document) = KeyDocument::read(data, CLUSTER) {
        assert!(document.is_locked() || document.open(None).is_ok_and(|it| it.is_some()));
    }
}

/// A keyring file in the open.
#[must_use]
pub fn keyring_seed() -> Vec<u8> {
    format!("goblins-key-1:{}\n", hex::encode(KEY_BYTES)).into_bytes()
}
