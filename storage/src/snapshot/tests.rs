use model::{AccountId, ConfigId, Project, ProjectId, Resource, Revision, SecretId, Timestamp};
use uuid::Uuid;

use super::*;

const CLUSTER: ClusterId = ClusterId(Uuid::from_u128(7));

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
    let resources: Vec<Resource> = (0..projects).map(|id| Resource::from(project(id))).collect();
    State::from_resources(Revision(42), Timestamp(420), resources)
}

fn meta() -> Meta {
    Meta {
        revision: Revision(42),
        now: Timestamp(420),
        consensus: vec![9],
    }
}

fn resources(state: &State) -> Vec<Resource> {
    state.resources().collect()
}

#[test]
fn a_snapshot_travels_and_comes_back_whole() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let sender = Snapshots::open(&temp.path().join("a"), CLUSTER).expect("it opens");
    let built = sender.build(&state(1_000), &meta()).expect("writable");
    assert_eq!(built.header.resources, 1_000);

    let receiver = Snapshots::open(&temp.path().join("b"), CLUSTER).expect("it opens");
    let mut staged = receiver.stage().expect("writable");
    for chunk in std::fs::read(&built.path).expect("readable").chunks(1_000) {
        staged.add(chunk).expect("writable");
    }
    let (adopted, read) = receiver.adopt(staged).expect("it is whole");
    assert_eq!(adopted.header, built.header);
    assert_eq!(resources(&read), resources(&state(1_000)));

    drop(receiver);
    let reopened = Snapshots::open(&temp.path().join("b"), CLUSTER).expect("it opens");
    assert_eq!(reopened.newest(), Some(adopted));
}

/// Written by hand from the description at the top of `snapshot.rs`; what a frame holds is in `codec/golden.txt`.
#[test]
fn the_format_is_the_one_that_is_described() {
    let mut bytes = Vec::new();
    format::write(&mut bytes, Path::new("memory"), CLUSTER, &state(0), &meta()).expect("memory takes everything");
    let header = "01\
                  1000000000000000000000000000000007\
                  2a\
                  fba401\
                  0109\
                  00";
    let covered = format!("{}00000019{header}00000000", hex::encode(b"GOBSNAP\x01"));
    let covered = hex::decode(covered).expect("hex digits");
    let checksum = ring::digest::digest(&ring::digest::SHA256, &covered);
    assert_eq!(hex::encode(&bytes), hex::encode([&covered, checksum.as_ref()].concat()));
    let (mut resources, framed) = (0, {
        let mut framed = Vec::new();
        format::write(&mut framed, Path::new("memory"), CLUSTER, &state(257), &meta()).expect("memory");
        framed
    });
    let header = format::read_each(&framed[..], Path::new("memory"), CLUSTER, |_| resources += 1).expect("whole");
    assert_eq!((header.resources, resources), (257, 257), "also in two frames");
}

#[test]
fn damage_is_found_wherever_it_is() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let snapshots = Snapshots::open(temp.path(), CLUSTER).expect("it opens");
    let built = snapshots.build(&state(3), &meta()).expect("writable");
    let whole = std::fs::read(&built.path).expect("readable");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let mut staged = snapshots.stage().expect("writable");
        staged.add(&damaged).expect("writable");
        assert!(format::check(staged.path(), CLUSTER).is_err(), "byte {at}");
        assert!(snapshots.adopt(staged).is_err(), "byte {at}");
    }
    assert_eq!(format::check(&built.path, CLUSTER).ok(), Some(built.header));
    let mut staged = snapshots.stage().expect("writable");
    staged.add(&whole[..whole.len() - 1]).expect("writable");
    assert!(format::check(staged.path(), CLUSTER).is_err(), "cut short");
    assert!(snapshots.adopt(staged).is_err(), "cut short");
    let left: Vec<_> = std::fs::read_dir(temp.path()).expect("readable").collect();
    assert_eq!(left.len(), 1, "refused files are removed");
}

#[test]
fn a_snapshot_of_another_cluster_is_refused() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let stranger = Snapshots::open(&temp.path().join("a"), ClusterId(Uuid::from_u128(8))).expect("it opens");
    let built = stranger.build(&state(1), &meta()).expect("writable");
    let snapshots = Snapshots::open(&temp.path().join("b"), CLUSTER).expect("it opens");
    assert!(matches!(
        snapshots.read(&built.path),
        Err(StorageError::WrongOwner { .. })
    ));
    assert!(matches!(
        format::check(&built.path, CLUSTER),
        Err(StorageError::WrongOwner { .. })
    ));
}

#[test]
fn leftovers_are_cleared_at_start() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let snapshots = Snapshots::open(temp.path(), CLUSTER).expect("it opens");
    let built = snapshots.build(&state(1), &meta()).expect("writable");
    drop(snapshots);
    std::fs::write(temp.path().join("5.tmp"), "half").expect("a file");
    std::fs::write(temp.path().join("00000000000000000099.snapshot"), "garbage").expect("a file");
    let snapshots = Snapshots::open(temp.path(), CLUSTER).expect("it opens");
    assert_eq!(snapshots.newest(), Some(built));
    assert_eq!(std::fs::read_dir(temp.path()).expect("readable").count(), 1);
}

#[test]
fn a_transfer_that_broke_off_goes_on_where_it_stopped() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let sender = Snapshots::open(&temp.path().join("a"), CLUSTER).expect("it opens");
    let built = sender.build(&state(1_000), &meta()).expect("writable");
    let whole = std::fs::read(&built.path).expect("readable");
    let name = checksum(&std::fs::File::open(&built.path).expect("readable")).expect("it has one");
    assert_eq!(name, whole[whole.len() - 32..]);

    let folder = temp.path().join("b");
    let receiver = Snapshots::open(&folder, CLUSTER).expect("it opens");
    assert_eq!(receiver.have(&name), 0);
    let half = whole.len() / 2;
    let mut staged = receiver.resume(&name, 0).expect("writable");
    staged.add(&whole[..half]).expect("writable");
    drop(staged);
    assert_eq!(receiver.have(&name), half as u64);
    drop(receiver);

    // Also after a restart; less than what is there may be gone on from, more may not.
    let receiver = Snapshots::open(&folder, CLUSTER).expect("it opens");
    assert_eq!(receiver.have(&name), half as u64);
    assert!(receiver.resume(&name, half as u64 + 1).is_err());
    let mut stale = receiver.resume(&name, 10).expect("writable");
    let mut staged = receiver.resume(&name, 7).expect("writable");
    assert!(stale.add(b"late").is_err(), "another transfer has taken its place");
    staged.add(&whole[7..]).expect("writable");
    let (staged, header) = receiver.verify(staged).expect("it is whole");
    assert_eq!(header, built.header);
    let (_, read) = receiver.adopt(staged).expect("it is whole");
    assert_eq!(resources(&read), resources(&state(1_000)));
    assert_eq!(std::fs::read_dir(&folder).expect("readable").count(), 1);
}

#[test]
fn what_arrived_damaged_is_not_gone_on_with() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let snapshots = Snapshots::open(temp.path(), CLUSTER).expect("it opens");
    let built = snapshots.build(&state(3), &meta()).expect("writable");
    let mut damaged = std::fs::read(&built.path).expect("readable");
    damaged[20] ^= 1;
    let name = [7; 32];
    let mut staged = snapshots.resume(&name, 0).expect("writable");
    staged.add(&damaged).expect("writable");
    assert!(snapshots.verify(staged).is_err());
    assert_eq!(snapshots.have(&name), 0, "it would be damaged again");

    // One that nobody sends any more goes with the next snapshot of this node's own, or with another that is sent.
    drop(snapshots.resume(&name, 0).expect("writable"));
    let other = snapshots.resume(&[8; 32], 0).expect("writable");
    assert!(!temp.path().join(format!("{}.part", "07".repeat(32))).exists());
    snapshots.build(&state(4), &meta()).expect("writable");
    assert!(other.path().exists(), "it is on its way");
    drop(other);
    snapshots.build(&state(5), &meta()).expect("writable");
    assert_eq!(std::fs::read_dir(temp.path()).expect("readable").count(), 1);
}
