//! Secrets whose keys are away, or whose values were tampered with. Only against the control plane in memory, whose sealer
//! can be locked and whose state can be reached.

use std::sync::atomic::Ordering;

use model::{KeyVersion, Sealed};

use crate::in_process::InProcess;
use crate::target::{Api, id};

#[tokio::test]
async fn a_locked_keyring_says_so() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let set = api.set("secrets").await;
    let item = api.item("secrets", &set, "KEY", "canary").await;
    let items = format!("/api/secrets/{}/items/", id(&set));
    let one = format!("{items}{}/", id(&item));
    target.sealer.is_locked.store(true, Ordering::Relaxed);
    for (method, path, body) in [
        ("GET", &one, ""),
        ("PATCH", &one, r#"{"value":"x"}"#),
        ("PATCH", &one, r#"{"key":"X"}"#),
        ("POST", &items, r#"{"key":"X","value":"x"}"#),
    ] {
        let got = api.call(method, path, body).await.ok(503);
        assert_eq!(got["code"], "keyring_locked", "{method}");
        assert!(got["detail"].as_str().is_some_and(|it| it.contains("unlock")), "{got}");
    }
    // What needs no key goes on.
    assert_eq!(api.get(&items).await.ok(200)["results"][0]["key"], "KEY");
    api.service().await;
    target.sealer.is_locked.store(false, Ordering::Relaxed);
    assert_eq!(api.get(&one).await.ok(200)["value"], "canary");
    target.sealer.is_locked.store(true, Ordering::Relaxed);
    assert_eq!(api.delete(&one).await.status.as_u16(), 204);
}

#[tokio::test]
async fn a_value_that_was_tampered_with_names_its_item() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let set = api.set("secrets").await;
    let item = api.item("secrets", &set, "KEY", "canary").await;
    let state = api::ControlPlane::local(&*target.control);
    let value = state.secret_values().next().expect("a value").clone();
    // Sealed, and not as it was sent.
    assert!(!String::from_utf8_lossy(&value.sealed.value).contains("canary"));
    target.control.put(model::SecretValue {
        sealed: Sealed {
            key: KeyVersion(1),
            wrapped: b"of another item".to_vec(),
            ..value.sealed.clone()
        },
        ..value
    });
    let got = api
        .get(&format!("/api/secrets/{}/items/{}/", id(&set), id(&item)))
        .await;
    assert_eq!(got.ok(500)["code"], "secret_unreadable");
    assert!(
        got.text().contains("KEY") && !got.text().contains("canary"),
        "{}",
        got.text()
    );
}
