//! Backups: who may have one, and what comes.

use std::io;
use std::sync::Mutex;

use api::{BackupFault, BackupStream, KeyringFault};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use model::{Scope, State, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use crate::in_process::InProcess;
use crate::target::{Api, Target as _};

/// Gives two pieces, and notes how it was asked.
#[derive(Default)]
pub struct FakeBackups {
    asked: Mutex<Vec<Option<String>>>,
    refuse: Mutex<Option<BackupFault>>,
}

#[async_trait]
impl api::Backups for FakeBackups {
    async fn take(&self, _: State, passphrase: Option<Zeroizing<String>>) -> Result<BackupStream, BackupFault> {
        self.asked.lock().unwrap().push(passphrase.map(|it| it.to_string()));
        self.refuse.lock().unwrap().clone().map_or(Ok(()), Err)?;
        let pieces = ["one ", "two"].map(|it| Ok::<_, io::Error>(Bytes::from(it)));
        Ok(BackupStream {
            created_at: Timestamp(1_769_903_999_000_000),
            pieces: futures::stream::iter(pieces).boxed(),
        })
    }
}

const PATH: &str = "/api/cluster/backup/";

#[tokio::test]
async fn an_admin_gets_a_file_whatever_it_accepts() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let key = format!("Bearer {}", target.keys().full);
    let headers = [("authorization", key.as_str()), ("accept", "application/octet-stream")];
    let plain = api.raw("GET", PATH, &headers, b"").await;
    assert_eq!((plain.status.as_u16(), plain.text().as_str()), (200, "one two"));
    assert_eq!(plain.header("content-type"), Some("application/octet-stream"));
    assert_eq!(plain.header("cache-control"), Some("no-store"));
    let name = plain.header("content-disposition").unwrap();
    assert!(name.starts_with("attachment; filename=\"goblins-"), "{name}");
    assert!(name.ends_with("-20260131T235959Z.backup\""), "{name}");

    let with_keys = api.post(PATH, r#"{"passphrase":"long enough"}"#).await;
    assert_eq!((with_keys.status.as_u16(), with_keys.text().as_str()), (200, "one two"));
    let asked = target.control.backups.asked.lock().unwrap().clone();
    assert_eq!(asked, [None, Some("long enough".to_owned())]);
}

#[tokio::test]
async fn nobody_else_does() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let keys = target.keys().clone();
    let admin = api::ControlPlane::local(&*target.control);
    let admin = admin.accounts().find(|it| it.is_admin).unwrap().id;
    target.control.put(crate::in_process::key(
        "writer",
        "gob_writer",
        admin,
        Scope::NoSecretValues,
    ));
    for key in [&*keys.read_only, &*keys.other, "gob_writer"] {
        for (method, body) in [("GET", ""), ("POST", r#"{"passphrase":"long enough"}"#)] {
            let refused = api.call_as(key, method, PATH, body).await;
            refused.detail(403, "You do not have permission to perform this action.");
        }
    }
    assert_eq!(api.raw("GET", PATH, &[], b"").await.status, 401);
    assert!(target.control.backups.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_stands_in_the_way_is_said() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let required = json!({"passphrase": ["This field is required."]});
    api.post(PATH, "{}").await.is(400, required);
    let refuse = |fault| *target.control.backups.refuse.lock().unwrap() = Some(fault);
    refuse(BackupFault::Busy(2));
    let busy = api.get(PATH).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, Some("1")));
    refuse(BackupFault::Keyring(KeyringFault::Locked));
    let body = r#"{"passphrase":"long enough"}"#;
    assert_eq!(api.post(PATH, body).await.ok(503)["code"], "keyring_locked");
    refuse(BackupFault::Keyring(KeyringFault::BadPassphrase(
        "Too short.".to_owned(),
    )));
    api.post(PATH, body)
        .await
        .is(400, json!({"passphrase": ["Too short."]}));
}
