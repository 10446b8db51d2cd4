//! A new cluster from the state of another one.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use model::{Actor, Command, KeyVersion, SealedItem, SecretValueId, State};
use raft::{Cluster, Restore, RestoreError, Start, Timing, restore};
use storage::{DataDir, Folder, KeyBundle, secret_context};

use crate::harness::{Cast, admin, eventually, project, token};
use crate::run;

const VALUE: &[u8] = b"the value";

/// Adds an item to the default secret.
async fn seal(cluster: &Cluster, key: &str) -> SecretValueId {
    let account = admin(cluster);
    let state = cluster.local();
    let secret = state.projects().next().expect("the default project").default_secret;
    let id = SecretValueId {
        item: model::SecretItemId(uuid::Uuid::new_v4()),
        version: 1,
    };
    let sealed = cluster.keyring().seal(&secret_context(id.item.0, key, 1), VALUE);
    let item = SealedItem {
        id,
        key: key.to_owned(),
        sealed: sealed.expect("it is open"),
    };
    let made = cluster
        .submit(Actor::Account(account), Command::CreateSecretItem(secret, item))
        .await;
    made.expect("accepted");
    id
}

fn opens(cluster: &Cluster, id: SecretValueId) -> bool {
    let state = cluster.local();
    let value = state.secret_value(id).expect("it is there");
    let context = secret_context(id.item.0, &value.key, id.version);
    cluster
        .keyring()
        .open(&context, &value.sealed)
        .is_ok_and(|it| *it == VALUE)
}

fn attempt(folder: &Path, state: &State, keys: Option<&KeyBundle>) -> Result<storage::Identity, RestoreError> {
    fs::create_dir_all(folder).expect("a folder");
    let Ok(Folder::Vacant(vacant)) = DataDir::open(folder) else {
        panic!("nobody lives there");
    };
    let from = Restore {
        state,
        keys,
        passphrase: None,
        node_name: "restored",
        now: SystemTime::now(),
    };
    restore(vacant, &from)
}

#[test]
fn a_restored_cluster_goes_on_by_itself_and_lets_others_in() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        let item = seal(&one, "KEY").await;
        let account = admin(&one);
        one.submit(Actor::Account(account), project("kept"))
            .await
            .expect("accepted");
        let (old, keys) = (one.local(), one.keyring().export_bundle().expect("it is open"));
        one.submit(Actor::Account(account), project("later"))
            .await
            .expect("accepted");

        let mut heirs = Cast::new(Timing::default());
        let seat = heirs.vacant();
        let identity = attempt(&seat, &old, Some(&keys)).expect("all is there");
        assert_ne!(identity.cluster, one.cluster_id());
        let heir = heirs.restart(0).await.expect("it starts");
        eventually("it leads itself", || heir.is_leader()).await;
        let state = heir.read().await.expect("it has a majority");
        let names: Vec<_> = state.projects().map(|it| it.name.clone()).collect();
        assert!(
            names.contains(&"kept".to_owned()) && !names.contains(&"later".to_owned()),
            "{names:?}"
        );
        assert!(opens(&heir, item));
        eventually("the node has said where it is", || {
            heir.local()
                .node(identity.node)
                .is_some_and(|it| it.is_up() && it.runs_agent)
        })
        .await;
        let done = heir
            .submit(Actor::Account(account), project("new"))
            .await
            .expect("accepted");
        assert!(done.revision > old.revision());

        // Somebody else joins by a snapshot, and both go on after a restart.
        let token = token(&heir).await;
        let address = heirs.address(0);
        let second = heirs
            .start(Start::Join { addr: address, token })
            .await
            .expect("it is let in");
        eventually("the new node has everything", || {
            second.local().projects().count() == state.projects().count() + 1
        })
        .await;
        assert!(opens(&second, item));
        heirs.stop().await;
        let heir = heirs.restart(0).await.expect("it starts again");
        assert_eq!((heir.node_id(), heir.cluster_id()), (identity.node, identity.cluster));
        let second = heirs.restart(1).await.expect("it starts again");
        eventually("they agree again", || second.status().leader.is_some()).await;
        heirs.stop().await;
        cast.stop().await;
    });
}

#[test]
fn an_old_state_wants_the_keys_of_its_time() {
    run(async {
        let mut cast = Cast::new(Timing::default());
        let one = cast.found().await;
        seal(&one, "KEY").await;
        let (old, old_keys) = (one.local(), one.keyring().export_bundle().expect("it is open"));
        // As a rotation does at its end.
        let keyring = one.keyring();
        keyring.add_key(KeyVersion(2), &[7; 32]).expect("a new key");
        keyring.set_current(KeyVersion(2)).expect("it is there");
        keyring.retire(KeyVersion(1)).expect("another one is current");
        let new_keys = keyring.export_bundle().expect("it is open");
        cast.stop().await;

        let folder = tempfile::tempdir().expect("a folder for the test");
        let at = |name: &str| folder.path().join(name);
        for (name, keys) in [("none", None), ("new", Some(&new_keys))] {
            let refused = attempt(&at(name), &old, keys).expect_err("the old key is missing");
            assert!(refused.to_string().contains("cluster key 1"), "{refused}");
            assert!(!at(name).join("identity.json").exists());
        }
        // The right number, and another key.
        let cluster = old.cluster().expect("it was founded").id;
        let other = KeyBundle::of_one_key(cluster, &[9; 32]);
        let refused = attempt(&at("other"), &old, Some(&other)).expect_err("not the same key");
        assert!(matches!(refused, RestoreError::OtherKey(KeyVersion(1))), "{refused}");
        attempt(&at("old"), &old, Some(&old_keys)).expect("the keys of its time");
        assert!(matches!(
            attempt(&at("nothing"), &State::default(), None),
            Err(RestoreError::NoCluster)
        ));
    });
}
