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
            .claim(
                IDENTITY_OF_TEST,
                &KeyBundle::of_one_key(IDENTITY_OF_TEST.cluster, &[9; 32]),
                Some(b"proof"),
            )
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
    let sealed = claimed(&path).keyring().seal(b"context", b"value").expect("it is open");
    let Ok(Folder::Node(dir)) = DataDir::open(&path) else {
        panic!("a node lives here")
    };
    assert_eq!((dir.identity(), dir.is_complete()), (IDENTITY_OF_TEST, false));
    assert_eq!(
        dir.keyring().open(b"context", &sealed).as_deref(),
        Ok(&b"value".to_vec())
    );
    let mode = std::fs::metadata(path.join(KEYRING))
        .expect("there is a keyring")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let credentials = dir.credentials();
    assert_eq!(
        credentials.read().expect("readable").as_deref(),
        Some(&b"proof".to_vec())
    );
    let mode = std::fs::metadata(credentials.path())
        .expect("it is there")
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
    std::fs::write(temp.path().join(IDENTITY), r#"{"format": 3, "surprise": true}"#).expect("a file");
    assert!(error_of(temp.path()).contains("run the newer version"));
    std::fs::write(temp.path().join(IDENTITY), r#"{"format": 1}"#).expect("a file");
    assert!(error_of(temp.path()).contains("before the first release"));
    std::fs::write(temp.path().join(IDENTITY), "{").expect("a file");
    assert!(error_of(temp.path()).contains("damaged"));
}

#[test]
fn a_folder_that_lost_a_part_is_refused() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let mut dir = claimed(temp.path());
    std::fs::create_dir(dir.log_dir()).expect("a folder");
    dir.set_complete(0).expect("this can be written");
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
    std::fs::write(temp.path().join(KEYRING), "half of one").expect("this can be written");
    drop(claimed(temp.path()));
    assert!(matches!(DataDir::open(temp.path()), Ok(Folder::Node(_))));
}

#[test]
fn the_keyring_of_another_cluster_is_refused_and_says_whose_it_is() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    drop(claimed(temp.path()));
    let other = ClusterId(Uuid::from_u128(8));
    let keys = KeyBundle::generate(other).expect("there are random numbers");
    Keyring::create(&temp.path().join(KEYRING), other, &keys).expect("this can be written");
    let error = error_of(temp.path());
    assert!(
        error.contains(&other.to_string()) && error.contains(&IDENTITY_OF_TEST.cluster.to_string()),
        "{error}"
    );
}

#[test]
fn no_folder_is_claimed_with_the_keys_of_another_cluster() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let keys = KeyBundle::generate(ClusterId(Uuid::from_u128(8))).expect("there are random numbers");
    let Ok(Folder::Vacant(dir)) = DataDir::open(temp.path()) else {
        panic!("it is empty")
    };
    let refused = dir.claim(IDENTITY_OF_TEST, &keys, None);
    assert!(matches!(refused, Err(DataDirError::Keyring { .. })), "{refused:?}");
    assert!(!temp.path().join(KEYRING).exists());
}
