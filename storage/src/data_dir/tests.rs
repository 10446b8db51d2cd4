use std::os::unix::fs::PermissionsExt;

use uuid::Uuid;

use super::*;

const IDENTITY_OF_TEST: Identity = Identity {
    cluster: ClusterId(Uuid::from_u128(7)),
    node: NodeId(3),
};

fn claimed(path: &Path) -> DataDir {
    match DataDir::open(path) {
        Ok(Folder::Vacant(dir)) => dir
            .claim(IDENTITY_OF_TEST, [9; 32])
            .expect("a fresh folder can be claimed"),
        other => panic!("not vacant: {other:?}"),
    }
}

fn error_of(path: &Path) -> String {
    DataDir::open(path)
        .expect_err("this folder must be refused")
        .to_string()
}

#[test]
fn a_claimed_folder_comes_back_as_the_same_node() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let path = temp.path().join("data");
    drop(claimed(&path));
    let Ok(Folder::Node(dir)) = DataDir::open(&path) else {
        panic!("a node lives here")
    };
    assert_eq!(
        (dir.identity(), dir.key(), dir.is_complete()),
        (IDENTITY_OF_TEST, [9; 32], false)
    );
    let mode = std::fs::metadata(path.join(KEYRING))
        .expect("there is a keyring")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_folder_in_use_is_refused() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let _held = claimed(temp.path());
    assert!(error_of(temp.path()).contains("in use by another process"));
}

#[test]
fn a_foreign_folder_is_refused() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(temp.path().join("thesis.tex"), "").expect("a file");
    let error = error_of(temp.path());
    assert!(
        error.contains("thesis.tex") && error.contains("empty folder"),
        "{error}"
    );
}

#[test]
fn a_newer_format_is_refused_whatever_else_it_says() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(temp.path().join(IDENTITY), r#"{"format": 2, "surprise": true}"#).expect("a file");
    assert!(error_of(temp.path()).contains("run the newer version"));
    std::fs::write(temp.path().join(IDENTITY), "{").expect("a file");
    assert!(error_of(temp.path()).contains("damaged"));
}

#[test]
fn a_folder_that_lost_a_part_is_refused() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let mut dir = claimed(temp.path());
    std::fs::create_dir(dir.log_dir()).expect("a folder");
    dir.set_complete().expect("this can be written");
    drop(dir);
    assert!(error_of(temp.path()).contains("has no `state`"));
    std::fs::create_dir(temp.path().join(STATE)).expect("a folder");
    std::fs::remove_file(temp.path().join(KEYRING)).expect("it is there");
    assert!(error_of(temp.path()).contains("has no `keyring`"));
    std::fs::remove_file(temp.path().join(IDENTITY)).expect("it is there");
    assert!(error_of(temp.path()).contains("has no `identity.json`"));
}

#[test]
fn a_claim_cut_short_leaves_the_folder_free() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    keyring::write(&temp.path().join(KEYRING), &[1; 32]).expect("this can be written");
    drop(claimed(temp.path()));
    assert!(matches!(DataDir::open(temp.path()), Ok(Folder::Node(_))));
}
