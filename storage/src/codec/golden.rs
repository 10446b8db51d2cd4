//! The bytes of every kind of value that is stored or sent, as they were when the kind was added (`golden.txt`).
//!
//! The codec is positional: a field that is added, removed or moved makes data folders, logs and members of the version
//! before unreadable, and no compiler says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{Command, Envelope, Key, NodeDraft, Outcome, Rejection, Resource, Revision, State, Submission, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sample::sample;
use super::{decode, encode};
use crate::{Meta, SnapshotHeader};

const KEPT: &str = include_str!("golden.txt");
/// Where to write the file with the lines that are new.
const UPDATE: &str = "UPDATE_GOLDEN";

type Lines = BTreeMap<String, String>;

/// What has a line: a variant of an enumeration.
type Met = BTreeSet<(&'static str, u32)>;

/// A line for the type, and one for each variant of each enumeration in it that has none yet.
fn lines<T: Serialize + DeserializeOwned>(name: &str, met: &mut Met, into: &mut Lines) {
    let mut todo = VecDeque::from([(name.to_owned(), BTreeMap::new())]);
    while let Some((label, chosen)) = todo.pop_front() {
        let (value, enums) = sample::<T>(&chosen).unwrap_or_else(|error| panic!("{label}: {error}"));
        // Of an enumeration itself each variant has a line; what is inside belongs to one of them.
        let is_open = enums.contains_key(name) && !chosen.contains_key(name);
        for (of, variants) in enums.iter().filter(|(of, _)| !is_open || **of == name) {
            for (index, variant) in (0_u32..).zip(*variants) {
                let is_here = chosen.contains_key(of) || (index == 0 && !is_open);
                if met.insert((*of, index)) && !is_here {
                    let mut chosen = chosen.clone();
                    chosen.insert(*of, index);
                    let joint = if is_open { String::new() } else { format!(" {of}") };
                    todo.push_back((format!("{label}{joint}::{variant}"), chosen));
                }
            }
        }
        if !is_open {
            let bytes = encode(&value).unwrap_or_else(|error| panic!("{label}: {error}"));
            let again = decode::<T>(&bytes).and_then(|it| encode(&it));
            assert_eq!(again.ok().as_ref(), Some(&bytes), "{label} does not come back");
            into.insert(label, hex::encode(bytes));
        }
    }
}

fn now() -> Lines {
    let (mut met, mut all) = (Met::new(), Lines::new());
    lines::<Resource>("Resource", &mut met, &mut all);
    lines::<Key>("Key", &mut met, &mut all);
    lines::<Command>("Command", &mut met, &mut all);
    lines::<Submission>("Submission", &mut met, &mut all);
    lines::<Envelope>("Envelope", &mut met, &mut all);
    lines::<NodeDraft>("NodeDraft", &mut met, &mut all);
    lines::<Result<Outcome, Rejection>>("Result", &mut met, &mut all);
    lines::<Meta>("Meta", &mut met, &mut all);
    lines::<SnapshotHeader>("SnapshotHeader", &mut met, &mut all);
    all
}

fn kept() -> Lines {
    let pairs = KEPT.lines().filter_map(|it| it.split_once(" = "));
    pairs.map(|(name, bytes)| (name.to_owned(), bytes.to_owned())).collect()
}

#[test]
fn what_is_stored_keeps_its_shape() {
    let (now, kept) = (now(), kept());
    let update = std::env::var_os(UPDATE);
    if let Some(file) = &update {
        let mut merged = kept.clone();
        let new = now.iter().filter(|(name, _)| !kept.contains_key(*name));
        merged.extend(new.map(|(name, bytes)| (name.clone(), bytes.clone())));
        let lines = merged.iter().map(|(name, bytes)| format!("{name} = {bytes}\n"));
        std::fs::write(file, lines.collect::<String>()).expect("the file can be written");
    }
    let mut wrong = Vec::new();
    for (name, was) in &kept {
        match now.get(name) {
            Some(is) if is == was => {}
            Some(is) => wrong.push(format!(
                "{name} is written in another way than before: data folders, logs and members of the version before could \
                 not be read any more. Leave the type as it was; what is new goes into a type or variant of its own, at \
                 the end of its enumeration, with a command level (model/src/command/level.rs).\n  was {was}\n  is  {is}"
            )),
            None => wrong.push(format!(
                "{name} is gone or has another name: what was stored of it could not be read any more"
            )),
        }
    }
    if update.is_none() {
        for name in now.keys().filter(|it| !kept.contains_key(*it)) {
            wrong.push(format!(
                "{name} is new and has no line in storage/src/codec/golden.txt: run this test once with {UPDATE} set to that file's path"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn lines_are_there_for_all_that_there_is() {
    let now = now();
    for name in [
        "Resource::Cluster",
        "Resource::NodeVoting",
        "Command::Bootstrap",
        "Command::Refound",
    ] {
        assert!(now.contains_key(name), "{name}");
    }
    assert!(now.keys().any(|it| it.contains("Phase::")), "also for what lies deeper");
}

#[test]
fn a_resource_in_a_state_is_written_like_one_by_itself() {
    let mut kinds = 0;
    for (name, bytes) in kept().iter().filter(|(name, _)| name.starts_with("Resource::")) {
        let bytes = hex::decode(bytes).expect("hexadecimal");
        let resource: Resource = decode(&bytes).expect("it was written by us");
        let key = resource.key();
        let state = State::from_resources(Revision(1), Timestamp(1), [resource]);
        let found = state
            .resource(key)
            .unwrap_or_else(|| panic!("{name} is not found under its key"));
        assert_eq!(encode(&found).ok(), Some(bytes), "{name}");
        assert_eq!(state.resources().collect::<Vec<_>>(), [found], "{name}");
        kinds += usize::from(!name.contains(' '));
    }
    assert!(kinds > 20, "{kinds} kinds");
}
