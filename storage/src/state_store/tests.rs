mod install;

use model::{AccountId, ConfigId, Project, ProjectId, SecretId};
use uuid::Uuid;

use super::*;

fn project(id: u128, name: &str) -> Project {
    Project {
        id: ProjectId(Uuid::from_u128(id)),
        account: AccountId(Uuid::from_u128(1)),
        name: name.to_owned(),
        default_config: ConfigId(Uuid::from_u128(2)),
        default_secret: SecretId(Uuid::from_u128(3)),
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        revision: Revision(1),
    }
}

fn open(path: &Path) -> StateStore {
    StateStore::open(path, "node 1", !path.join(POINTER).exists()).expect("it opens")
}

fn meta(revision: u64) -> Meta {
    Meta {
        revision: Revision(revision),
        now: Timestamp(revision * 10),
        consensus: vec![1, 2, 3],
    }
}

/// Writes what there is of these projects.
fn write(store: &StateStore, ids: &[u128], projects: &[Project], revision: u64) {
    let keys: Vec<Key> = ids
        .iter()
        .map(|id| Key::Project(ProjectId(Uuid::from_u128(*id))))
        .collect();
    let meta = meta(revision);
    let state = State::from_resources(meta.revision, meta.now, projects.iter().cloned().map(Resource::from));
    store.write(&keys, &state, &meta).expect("writable");
}

fn names(state: &State) -> Vec<String> {
    let projects = state.resources().filter_map(|it| match it {
        Resource::Project(project) => Some(project.name.clone()),
        _ => None,
    });
    projects.collect()
}

#[test]
fn changes_come_back_with_where_they_stand() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let store = open(temp.path());
    assert_eq!(store.load().expect("readable").1, None);
    write(&store, &[1, 2], &[project(1, "one"), project(2, "two")], 5);
    write(&store, &[1], &[], 6);
    store.flush().expect("writable");
    drop(store);
    let store = open(temp.path());
    let (state, found) = store.load().expect("readable");
    assert_eq!((names(&state), found), (vec!["two".to_owned()], Some(meta(6))));
    assert_eq!((state.revision(), state.now()), (Revision(6), Timestamp(60)));
}

#[test]
fn a_replaced_state_is_wholly_the_new_one() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let store = open(temp.path());
    write(&store, &[1], &[project(1, "old")], 5);
    let new = State::from_resources(Revision(9), Timestamp(90), vec![Resource::from(project(2, "new"))]);
    store.replace(&new, &meta(9)).expect("writable");
    assert_eq!(names(&store.load().expect("readable").0), ["new"]);
    write(&store, &[3], &[project(3, "newer")], 10);
    drop(store);
    // What an installation that was cut short before its pointer leaves behind.
    std::fs::create_dir(temp.path().join("2")).expect("a folder");
    let store = open(temp.path());
    assert_eq!(names(&store.load().expect("readable").0), ["new", "newer"]);
    assert!(!temp.path().join("2").exists() && !temp.path().join("0").exists());
}

#[test]
fn a_state_of_another_node_is_refused() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    drop(open(temp.path()));
    assert!(matches!(
        StateStore::open(temp.path(), "node 2", false),
        Err(StorageError::WrongOwner { .. })
    ));
}

#[test]
fn a_state_that_should_be_there_is_not_made_anew() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let opened = |is_new| StateStore::open(temp.path(), "node 1", is_new).map(|_| ());
    assert!(opened(false).is_err());
    assert!(opened(true).is_ok());
    std::fs::remove_file(temp.path().join(POINTER)).expect("it is there");
    assert!(opened(false).is_err(), "a state without a pointer may be any");
}
