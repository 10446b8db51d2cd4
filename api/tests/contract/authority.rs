//! The certificate authority and the leader: who may ask, and what refusals look like.

use std::sync::Mutex;

use api::{AuthorityHeld, AuthorityNode, AuthorityView, KeyringFault, Unavailable};
use async_trait::async_trait;
use model::{AccountId, NodeId, Timestamp};
use serde_json::json;

use crate::in_process::InProcess;
use crate::target::{Api, Target as _};

/// Is in the middle of a rotation, and refuses another one when told to.
#[derive(Default)]
pub struct FakeAuthorities {
    refuse: Mutex<Option<KeyringFault>>,
}

#[async_trait]
impl api::Authorities for FakeAuthorities {
    async fn show(&self) -> Result<AuthorityView, Unavailable> {
        let node = |id, said, waits: Option<&str>| AuthorityNode {
            node: NodeId(id),
            said,
            waits: waits.map(str::to_owned),
        };
        let held = AuthorityHeld {
            signer: [2; 32],
            until: Timestamp(1_800_000_000_000_000),
            trusted: vec![[2; 32], [1; 32]],
        };
        Ok(AuthorityView {
            signer: [2; 32],
            next: None,
            before: Some([1; 32]),
            began_at: Some(Timestamp(1_700_000_000_000_000)),
            nodes: vec![
                node(1, Ok(held), None),
                node(2, Err("no answer".to_owned()), Some("it is down")),
            ],
        })
    }

    async fn rotate(&self, _by: AccountId) -> Result<(), KeyringFault> {
        self.refuse.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[tokio::test]
async fn admins_see_and_replace_the_certificate_authority() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let shown = api.get("/api/cluster/ca/").await.ok(200);
    let (new, old) = ("02".repeat(32), "01".repeat(32));
    let head = json!({"fingerprint": new, "next": null, "before": old, "rotating": true});
    for (name, value) in head.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["nodes"][0]["trusts"], json!([new, old]));
    let off = &shown["nodes"][1];
    assert_eq!(
        (&off["certified_by"], &off["waits"], &off["error"]),
        (&json!(null), &json!("it is down"), &json!("no answer"))
    );
    api.post("/api/cluster/ca/rotate/", "").await.ok(202);
    let refuse = |fault| *target.control.authorities.refuse.lock().unwrap() = Some(fault);
    refuse(KeyringFault::UnderWay("one is under way".to_owned()));
    api.post("/api/cluster/ca/rotate/", "")
        .await
        .detail(409, "one is under way");
    refuse(KeyringFault::Locked);
    let locked = api.post("/api/cluster/ca/rotate/", "").await.ok(503);
    assert_eq!(locked["code"], "keyring_locked");
}

#[tokio::test]
async fn leadership_goes_to_a_node_that_exists_and_votes() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let shown = api.post("/api/cluster/leader/", "{}").await.ok(200);
    assert!(shown["leader"].is_object(), "{shown}");
    let unknown = json!({"to": ["Invalid pk \"99\" - object does not exist."]});
    api.post("/api/cluster/leader/", r#"{"to":99}"#).await.is(400, unknown);
    assert!(api.post("/api/cluster/leader/", r#"{"to":"b"}"#).await.ok(400)["to"].is_array());
    api.post("/api/cluster/leader/", r#"{"to":1}"#)
        .await
        .detail(409, "node 1 has no vote");
}

#[tokio::test]
async fn nobody_else_may() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let other = target.keys().other.clone();
    for (method, path) in [
        ("GET", "/api/cluster/ca/"),
        ("POST", "/api/cluster/ca/rotate/"),
        ("POST", "/api/cluster/leader/"),
    ] {
        let answer = api.call_as(&other, method, path, "{}").await;
        assert_eq!(answer.status.as_u16(), 403, "{path}");
    }
}
