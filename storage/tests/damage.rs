//! Files of a data folder that are cut short, altered, emptied or somebody else's: refused in words, or passed over because the
//! rest makes up for them; never taken for something else, and never written over.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

use model::{
    AccountId, ClusterId, ConfigId, Key, NodeId, Project, ProjectId, Resource, Revision, SecretId, State, Timestamp,
};
use storage::{DataDir, Folder, Identity, KeyBundle, Meta, Stores};
use uuid::Uuid;

const IDENTITY: Identity = Identity {
    cluster: ClusterId(Uuid::from_u128(7)),
    node: NodeId(3),
};
const ENTRIES: u64 = 60;

fn entry(index: u64) -> Arc<[u8]> {
    Arc::from(format!("entry {index} {}", "x".repeat(200)).as_bytes())
}

fn project(revision: u64) -> Project {
    Project {
        id: ProjectId(Uuid::from_u128(u128::from(revision))),
        account: AccountId(Uuid::from_u128(1)),
        name: format!("project {revision} {}", "y".repeat(200)),
        default_config: ConfigId(Uuid::from_u128(2)),
        default_secret: SecretId(Uuid::from_u128(3)),
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        revision: Revision(revision),
    }
}

fn meta(revision: u64) -> Meta {
    Meta {
        revision: Revision(revision),
        now: Timestamp(revision),
        consensus: vec![1],
    }
}

fn open(path: &Path) -> Result<Stores, String> {
    let text = |error: &dyn std::error::Error| {
        let causes = std::iter::successors(Some(error), |it| it.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    };
    let folder = DataDir::open(path).map_err(|it| text(&it))?;
    let Folder::Node(mut dir) = folder else {
        return Err("vacant".to_owned());
    };
    dir.open_stores().map_err(|it| text(&it))
}

/// One entry and one project for each revision from `from` on.
fn fill(stores: &Stores, from: u64) {
    for index in from..from + ENTRIES / 2 {
        let (sender, receiver) = channel();
        let flushed = Box::new(move |result: Result<(), _>| sender.send(result.is_ok()).expect("the test waits"));
        stores.log.append(vec![(index, entry(index))], flushed);
        assert_eq!(receiver.recv(), Ok(true));
        let (project, meta) = (project(index), meta(index));
        let key = Key::Project(project.id);
        let state = State::from_resources(meta.revision, meta.now, [Resource::from(project)]);
        stores.state.write(&[key], &state, &meta).expect("writable");
    }
}

/// A folder that has been used for a while: part of it lies in tables, part in write-ahead files.
fn used(path: &Path) {
    let Ok(Folder::Vacant(vacant)) = DataDir::open(path) else {
        panic!("the folder is new")
    };
    let keys = KeyBundle::generate(IDENTITY.cluster).expect("keys can be drawn");
    drop(vacant.claim(IDENTITY, &keys, None).expect("it is free"));
    fill(&open(path).expect("it opens"), 0);
    // Opening it moves what was written into tables.
    let stores = open(path).expect("it opens");
    fill(&stores, ENTRIES / 2);
    let (state, _) = stores.state.load().expect("readable");
    stores.snapshots.build(&state, &meta(ENTRIES - 1)).expect("writable");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for found in fs::read_dir(from).expect("readable") {
        let found = found.expect("readable");
        let target = to.join(found.file_name());
        if found.file_type().expect("known").is_dir() {
            copy(&found.path(), &target);
        } else {
            fs::copy(found.path(), &target).expect("it can be copied");
        }
    }
}

/// The content of all files that hold something; not the notes that RocksDB makes for people, nor locks.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for found in fs::read_dir(&folder).expect("readable") {
            let path = found.expect("readable").path();
            let name = path
                .file_name()
                .map(|it| it.to_string_lossy().into_owned())
                .unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with("LOG") && !["LOCK", "lock"].contains(&name.as_str()) {
                all.insert(path.clone(), fs::read(&path).expect("readable"));
            }
        }
    }
    all
}

/// What is there must be what once was: entries and projects from the first to some last one, each as it was written.
fn check_truth(stores: &Stores) -> Result<(u64, u64), String> {
    let entries = stores.log.read(0..u64::MAX).map_err(|it| it.to_string())?;
    for (index, found) in (0..).zip(&entries) {
        assert_eq!(*found, entry(index), "an altered entry");
    }
    let (state, found) = stores.state.load().map_err(|it| it.to_string())?;
    let known = found.map_or(0, |it| it.revision.0 + 1);
    let expected = (0..known).map(|it| Resource::from(project(it)));
    let whole = State::from_resources(state.revision(), state.now(), expected);
    assert!(whole.resources().eq(state.resources()), "an altered state");
    Ok((entries.len() as u64, known))
}

#[test]
fn damaged_files_are_refused_or_made_up_for_and_never_believed() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let whole = temp.path().join("whole");
    used(&whole);
    let files: Vec<PathBuf> = content(&whole).into_keys().collect();
    assert!(
        files.iter().any(|it| it.extension().is_some_and(|it| it == "sst")),
        "{files:?}"
    );
    let mut refused = 0;
    for file in &files {
        let place = file.strip_prefix(&whole).expect("inside").to_owned();
        let bytes = fs::read(file).expect("readable");
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0x20;
            }
            bytes
        };
        for (how, damaged) in [
            ("cut in half", bytes[..bytes.len() / 2].to_vec()),
            ("emptied", Vec::new()),
            ("altered near its beginning", flipped(bytes.len() / 8)),
            ("altered in its middle", flipped(bytes.len() / 2)),
            (
                "somebody else's",
                b"this is a letter, not a file of a database".repeat(50),
            ),
        ] {
            if damaged == bytes {
                continue;
            }
            let what = format!("{} {how}", place.display());
            let folder = temp.path().join("damaged");
            copy(&whole, &folder);
            fs::write(folder.join(&place), damaged).expect("writable");
            let before = content(&folder);
            match open(&folder) {
                Err(said) => {
                    refused += 1;
                    assert!(said.contains(&folder.display().to_string()), "{what}: {said}");
                    assert!(said.len() > folder.display().to_string().len() + 20, "{what}: {said}");
                    let after = content(&folder);
                    // Write-ahead files may have become tables before the damage was met.
                    let is_kept = |it: &Path| it.extension().is_some_and(|it| it == "sst") || it == folder.join(&place);
                    for (path, bytes) in before.iter().filter(|(path, _)| is_kept(path)) {
                        assert!(
                            after.get(path) == Some(bytes),
                            "{what}: {} was written to",
                            path.display()
                        );
                    }
                }
                Ok(stores) => {
                    // Something of the end of a write-ahead file may be gone, which is what a power cut leaves. What the
                    // state lacks is in the log.
                    if let Ok((entries, known)) = check_truth(&stores) {
                        let is_log = place.starts_with("log");
                        assert!(entries == ENTRIES || is_log, "{what}: {entries} entries");
                        assert!(known <= ENTRIES, "{what}");
                    }
                }
            }
            fs::remove_dir_all(&folder).expect("it can be removed");
        }
    }
    assert!(
        refused > files.len(),
        "{refused} of {} files with five kinds of damage each",
        files.len()
    );
}

#[test]
fn stores_of_another_node_are_refused_and_left_alone() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let (ours, theirs) = (temp.path().join("ours"), temp.path().join("theirs"));
    used(&ours);
    let Ok(Folder::Vacant(vacant)) = DataDir::open(&theirs) else {
        panic!("the folder is new")
    };
    let other = Identity {
        node: NodeId(4),
        ..IDENTITY
    };
    let keys = KeyBundle::generate(other.cluster).expect("keys can be drawn");
    drop(vacant.claim(other, &keys, None).expect("it is free"));
    drop(open(&theirs).expect("it opens"));
    for part in ["log", "state"] {
        let folder = temp.path().join("mixed");
        copy(&ours, &folder);
        fs::remove_dir_all(folder.join(part)).expect("it can be removed");
        copy(&theirs.join(part), &folder.join(part));
        let before = content(&folder.join(part));
        let said = open(&folder).map(drop).expect_err("it is another node's");
        assert!(said.contains("node 4") && said.contains("node 3"), "{said}");
        // Opening replays what the other node had written, which changes nothing of it.
        let after = content(&folder.join(part));
        assert!(before.keys().any(|it| after.contains_key(it)), "{part}");
        fs::remove_dir_all(&folder).expect("it can be removed");
    }
}
