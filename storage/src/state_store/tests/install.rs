//! A snapshot is installed, and the node is killed between any two steps of it.

use std::fs;

use model::ClusterId;

use super::*;
use crate::{Snapshots, snapshot_checksum};

const CLUSTER: ClusterId = ClusterId(Uuid::from_u128(7));

/// A copy of a folder as it lies there, which is what a process that is killed leaves.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("it can be copied");
        }
    }
}

/// Large enough for the state to be written in several parts.
fn large(revision: u64) -> State {
    let text = "x".repeat(1 << 20);
    let projects = (1..=10).map(|id| Resource::from(project(id, &format!("new {id} {text}"))));
    State::from_resources(Revision(revision), Timestamp(revision * 10), projects)
}

#[test]
fn a_crash_between_any_two_steps_leaves_the_old_state_or_the_new_one() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let sender = Snapshots::open(&temp.path().join("sender"), CLUSTER).expect("it opens");
    let sent = sender.build(&large(9), &meta(9)).expect("writable");
    let bytes = fs::read(&sent.path).expect("readable");
    let name = snapshot_checksum(&fs::File::open(&sent.path).expect("readable")).expect("it has one");

    let live = temp.path().join("live");
    let snapshots = Snapshots::open(&live.join("snapshots"), CLUSTER).expect("it opens");
    let store = open(&live.join("state"));
    write(&store, &[1], &[project(1, "old")], 5);
    let mut crashes: Vec<(&str, PathBuf)> = Vec::new();
    let mut crash = |step| {
        let to = temp.path().join(format!("crash-{}", crashes.len()));
        copy(&live, &to);
        crashes.push((step, to));
    };

    let mut staged = snapshots.resume(&name, 0).expect("writable");
    staged.add(&bytes[..bytes.len() / 2]).expect("writable");
    crash("half of it has arrived");
    staged.add(&bytes[bytes.len() / 2..]).expect("writable");
    crash("all of it has arrived");
    let (snapshot, state) = snapshots.adopt(staged).expect("it is whole");
    crash("it is the newest snapshot");
    store
        .replace_in_steps(&state, &snapshot.header.meta, &mut crash)
        .expect("writable");
    crash("what was replaced is gone");
    assert!(crashes.len() >= 9, "{crashes:?}");

    let mut seen = Vec::new();
    for (step, folder) in crashes {
        let snapshots = Snapshots::open(&folder.join("snapshots"), CLUSTER).expect(step);
        let store = StateStore::open(&folder.join("state"), "node 1", false).expect(step);
        let (state, found) = store.load().expect(step);
        let is_new = match found.expect(step).revision {
            Revision(5) => {
                assert_eq!(names(&state), ["old"], "{step}");
                false
            }
            revision => {
                assert_eq!(revision, Revision(9), "{step}");
                assert!(state.resources().eq(large(9).resources()), "{step}");
                true
            }
        };
        // What is not there yet can be had from the snapshot, or comes again.
        let newest = snapshots.newest().map(|it| it.header.meta.revision);
        assert!(newest.is_none_or(|it| it == Revision(9)), "{step}");
        assert!(!is_new || newest.is_some(), "{step}");
        // Nothing half-made is left.
        let generations = fs::read_dir(folder.join("state")).expect("readable").count();
        assert_eq!(generations, 2, "{step}: one state, and the pointer to it");
        drop(store);
        seen.push(is_new);
    }
    assert!(
        seen.is_sorted() && seen.contains(&true) && seen.contains(&false),
        "{seen:?}"
    );
}
