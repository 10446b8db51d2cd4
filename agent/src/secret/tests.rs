//! Opening what a deployment is pinned to.

use model::{KeyVersion, Sealed, SecretItemId};
use uuid::Uuid;

use super::*;

const CANARY: &str = "tweet-7f3a";

struct FakeOpener(Result<(), OpenError>);

impl Opener for FakeOpener {
    fn open(&self, value: &SecretValue) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.0.clone().map(|()| Zeroizing::new(value.sealed.value.clone()))
    }
}

fn pin(key: &str) -> SecretPin {
    SecretPin {
        item: SecretItemId(Uuid::from_u128(5)),
        version: 2,
        key: key.to_owned(),
    }
}

fn value(key: &str) -> Arc<SecretValue> {
    Arc::new(SecretValue {
        id: pin(key).value(),
        key: key.to_owned(),
        sealed: Sealed {
            key: KeyVersion(1),
            wrapped: Vec::new(),
            value: CANARY.into(),
        },
    })
}

fn opened(opener: Result<(), OpenError>, key: &str, values: &[Arc<SecretValue>]) -> Result<OpenSecret, Unopened> {
    open(&FakeOpener(opener), &pin(key), values)
}

#[test]
fn an_opened_value_is_shown_to_nobody() {
    let secret = opened(Ok(()), "TOKEN", &[value("TOKEN")]).unwrap();
    assert_eq!(*secret.value, CANARY.as_bytes());
    assert_eq!(
        format!("{secret:?} {secret:#?}"),
        "OpenSecret(TOKEN, redacted) OpenSecret(TOKEN, redacted)"
    );
}

#[test]
fn what_cannot_be_opened_names_the_item_and_the_remedy_and_nothing_of_its_content() {
    let there = [value("TOKEN")];
    let Err(Unopened::Locked(reason)) = opened(Err(OpenError::Locked), "TOKEN", &there) else {
        panic!("a locked keyring is no fault of the value");
    };
    assert_eq!(reason.code, "keyring_locked");
    assert!(reason.message.contains("goblins keyring unlock"), "{}", reason.message);
    let cases = [
        (
            opened(Err(OpenError::Damaged), "TOKEN", &there),
            "TOKEN",
            "set the item's value again",
        ),
        (
            opened(Err(OpenError::UnknownKey(KeyVersion(7))), "TOKEN", &there),
            "TOKEN",
            "cluster key 7",
        ),
        (opened(Ok(()), "TOKEN", &[]), "TOKEN", "no longer has it"),
        (
            opened(Ok(()), "../etc/x", &[value("../etc/x")]),
            "../etc/x",
            "another one",
        ),
        (opened(Ok(()), "..", &[value("..")]), "..", "another one"),
        (opened(Ok(()), "", &[value("")]), "", "another one"),
    ];
    for (result, key, part) in cases {
        let Err(Unopened::Unreadable(reason)) = result else {
            panic!("{key} is opened");
        };
        assert_eq!(reason.code, "secret_unreadable");
        assert!(
            reason.message.contains(&format!("`{key}`")) && reason.message.contains(part),
            "{reason:?}"
        );
        assert!(!reason.message.contains(CANARY), "{reason:?}");
    }
}
