//! The keys of all nodes: who may ask, what is asked, and what refusals look like.

use std::sync::Mutex;

use api::{KeyringFault, KeyringHeld, KeyringNode, KeyringView};
use async_trait::async_trait;
use model::{AccountId, KeyVersion, NodeId};
use serde_json::json;
use zeroize::Zeroizing;

use crate::in_process::InProcess;
use crate::target::{Api, Target as _};

/// Notes what it is asked, and refuses when told to.
#[derive(Default)]
pub struct FakeKeyrings {
    asked: Mutex<Vec<String>>,
    refuse: Mutex<Option<KeyringFault>>,
}

impl FakeKeyrings {
    fn note(&self, what: String) -> Result<(), KeyringFault> {
        self.asked.lock().unwrap().push(what);
        self.refuse.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl api::Keyrings for FakeKeyrings {
    async fn show(&self) -> KeyringView {
        let held = KeyringHeld {
            versions: vec![KeyVersion(1), KeyVersion(2)],
            current: KeyVersion(2),
            locked: false,
            autolock: true,
            in_step: true,
        };
        KeyringView {
            current: KeyVersion(2),
            oldest: KeyVersion(1),
            autolock: true,
            is_rotating: true,
            values_left: 7,
            nodes: vec![
                KeyringNode {
                    node: NodeId(1),
                    held: Ok(held),
                },
                KeyringNode {
                    node: NodeId(9),
                    held: Err("no answer".to_owned()),
                },
            ],
        }
    }

    async fn rotate(&self, _by: AccountId) -> Result<(), KeyringFault> {
        self.note("rotate".to_owned())
    }

    async fn lock(&self, _by: AccountId, passphrase: Option<Zeroizing<String>>, now: bool) -> Result<(), KeyringFault> {
        let passphrase = passphrase.as_ref().map(|it| it.as_str());
        self.note(format!("lock {passphrase:?} {now}"))
    }

    async fn unlock(&self, passphrase: Zeroizing<String>) -> Result<(), KeyringFault> {
        self.note(format!("unlock {}", *passphrase))
    }

    async fn remove_lock(&self, _by: AccountId, passphrase: Zeroizing<String>) -> Result<(), KeyringFault> {
        self.note(format!("remove {}", *passphrase))
    }
}

#[tokio::test]
async fn admins_see_and_change_the_keyring() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let shown = api.get("/api/keyring/").await.ok(200);
    let head = json!({"current": 2, "oldest": 1, "autolock": true, "rotating": true, "values_left": 7});
    for (name, value) in head.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["nodes"][0]["versions"], json!([1, 2]));
    let silent = &shown["nodes"][1];
    assert_eq!(
        (&silent["error"], &silent["locked"]),
        (&json!("no answer"), &json!(null))
    );

    api.post("/api/keyring/rotate/", "").await.ok(202);
    api.post("/api/keyring/lock/", r#"{"passphrase":"long enough"}"#)
        .await
        .ok(200);
    api.post("/api/keyring/lock/", r#"{"now":true}"#).await.ok(200);
    api.post("/api/keyring/unlock/", r#"{"passphrase":"long enough"}"#)
        .await
        .ok(200);
    api.post("/api/keyring/remove-lock/", r#"{"passphrase":"long enough"}"#)
        .await
        .ok(200);
    assert_eq!(
        *target.control.keyrings.asked.lock().unwrap(),
        [
            "rotate",
            "lock Some(\"long enough\") false",
            "lock None true",
            "unlock long enough",
            "remove long enough"
        ]
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_passphrase_is_said_under_its_name() {
    let target = InProcess::new();
    let api = Api::new(&target);
    for path in ["lock", "unlock", "remove-lock"] {
        let path = format!("/api/keyring/{path}/");
        let required = json!({"passphrase": ["This field is required."]});
        api.post(&path, "{}").await.is(400, required);
        let blank = json!({"passphrase": ["This field may not be blank."]});
        api.post(&path, r#"{"passphrase":""}"#).await.is(400, blank);
    }
    let refuse = |fault| *target.control.keyrings.refuse.lock().unwrap() = Some(fault);
    let unlock = async || api.post("/api/keyring/unlock/", r#"{"passphrase":"x"}"#).await;
    refuse(KeyringFault::WrongPassphrase { wait_seconds: 2 });
    assert!(
        unlock().await.ok(400)["passphrase"][0]
            .as_str()
            .unwrap()
            .contains("2 s")
    );
    refuse(KeyringFault::TooManyAttempts { wait_seconds: 17 });
    let soon = unlock().await;
    assert_eq!((soon.status.as_u16(), soon.header("retry-after")), (429, Some("17")));
    refuse(KeyringFault::Locked);
    assert_eq!(
        api.post("/api/keyring/rotate/", "").await.ok(503)["code"],
        "keyring_locked"
    );
    refuse(KeyringFault::UnderWay("one is under way".to_owned()));
    api.post("/api/keyring/rotate/", "")
        .await
        .detail(409, "one is under way");
    refuse(KeyringFault::Missing("node 3".to_owned()));
    api.post("/api/keyring/rotate/", "").await.detail(503, "node 3");
    refuse(KeyringFault::NoPassphrase);
    api.post("/api/keyring/lock/", r#"{"now":true}"#).await.ok(400);
}

#[tokio::test]
async fn nobody_else_may_look_at_it() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let other = target.keys().other.clone();
    for (method, path) in [
        ("GET", "/api/keyring/"),
        ("POST", "/api/keyring/rotate/"),
        ("POST", "/api/keyring/unlock/"),
    ] {
        assert_eq!(
            api.call_as(&other, method, path, "{}").await.status.as_u16(),
            403,
            "{path}"
        );
    }
    let reader = target.keys().read_only.clone();
    assert_eq!(
        api.call_as(&reader, "POST", "/api/keyring/rotate/", "")
            .await
            .status
            .as_u16(),
        403
    );
    assert_eq!(
        api.call_as(&reader, "GET", "/api/keyring/", "").await.status.as_u16(),
        200
    );
    assert!(target.control.keyrings.asked.lock().unwrap().is_empty());
}
