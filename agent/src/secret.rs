//! Values of secrets, in the open: only while the container that gets them is being started.

use std::fmt;

use model::{Deployment, Reason, SecretPin, SecretValue};
use std::sync::Arc;
use zeroize::Zeroizing;

use crate::ports::{OpenError, Opener};
use crate::reason::{self, reason};

/// A value in the open. Wiped when dropped, and shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenSecret {
    /// Name of its file, and of its environment variable.
    pub key: String,
    /// What it holds; any bytes.
    pub value: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OpenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenSecret({}, redacted)", self.key)
    }
}

/// Why a container does not get its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Somebody has to unlock the keyring; until then nothing is wrong with the replica.
    Locked(Reason),
    /// A value cannot be had.
    Unreadable(Reason),
}

/// Opens everything that a deployment is pinned to, in the order of its pins.
pub(crate) fn open_all(
    opener: &dyn Opener,
    deployment: &Deployment,
    values: &[Arc<SecretValue>],
) -> Result<Vec<OpenSecret>, Unopened> {
    deployment.secrets.iter().map(|pin| open(opener, pin, values)).collect()
}

/// Opens these values as they are, whatever their keys.
pub(crate) fn open_values(opener: &dyn Opener, values: &[Arc<SecretValue>]) -> Result<Vec<OpenSecret>, Unopened> {
    values.iter().map(|it| unseal(opener, it)).collect()
}

fn open(opener: &dyn Opener, pin: &SecretPin, values: &[Arc<SecretValue>]) -> Result<OpenSecret, Unopened> {
    let SecretPin { key, version, .. } = pin;
    if !is_file_name(key) {
        let why = "its key cannot be the name of a file; give the item another one";
        return Err(unreadable(key, *version, why));
    }
    let value = values.iter().find(|it| it.id == pin.value());
    let gone = "the cluster no longer has it; set the item's value again";
    unseal(opener, value.ok_or_else(|| unreadable(key, *version, gone))?)
}

fn unreadable(key: &str, version: u32, why: &str) -> Unopened {
    let text = format!("the secret item `{key}` (value {version}) cannot be opened on this host: {why}");
    Unopened::Unreadable(reason(reason::SECRET_UNREADABLE, text))
}

fn unseal(opener: &dyn Opener, value: &SecretValue) -> Result<OpenSecret, Unopened> {
    let unreadable = |why: &str| unreadable(&value.key, value.id.version, why);
    match opener.open(value) {
        Ok(opened) => Ok(OpenSecret {
            key: value.key.clone(),
            value: opened,
        }),
        Err(OpenError::Locked) => Err(Unopened::Locked(reason(
            reason::KEYRING_LOCKED,
            "the keyring of this host is locked, so that containers with secrets cannot be started, nor images fetched \
             with credentials; run `goblins keyring unlock` (containers that run already are not affected)"
                .to_owned(),
        ))),
        Err(OpenError::UnknownKey(key)) => Err(unreadable(&format!(
            "it is sealed under cluster key {key}, which this host's keyring lacks; compare `goblins keyring status` \
             with other nodes"
        ))),
        Err(OpenError::Damaged) => Err(unreadable(
            "it was changed after it was sealed, or belongs elsewhere; set the item's value again",
        )),
    }
}

/// Keys are names of variables when the API takes them; nothing else may lead to other files.
fn is_file_name(key: &str) -> bool {
    !key.is_empty() && key.len() <= 255 && key != "." && key != ".." && !key.contains(['/', '\0'])
}

#[cfg(test)]
mod tests;
