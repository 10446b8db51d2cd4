//! The messages of `proto/`, and what they mean. Generated types stay in here and in the modules that speak them.

use std::fmt;

use model::KeyVersion;
use storage::{Import, KeyBundle, Keyring, KeyringError};
use uuid::Uuid;

use super::Holding;
pub(super) use generated::*;

#[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
mod generated {
    tonic::include_proto!("goblins.keyring.v1");
}

impl fmt::Debug for Bundle {
    /// Without any key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("how", &self.how).finish_non_exhaustive()
    }
}

impl From<&Holding> for Shown {
    fn from(it: &Holding) -> Self {
        let key = |(version, fingerprint): (&KeyVersion, &Option<[u8; 32]>)| Key {
            version: version.0,
            fingerprint: fingerprint.map(|it| it.to_vec().into()).unwrap_or_default(),
        };
        Self {
            keys: it.keys.iter().map(key).collect(),
            current: it.current.0,
            locked: it.locked,
            lock: it.lock.map(|it| it.as_bytes().to_vec().into()),
            lock_generation: it.lock_generation,
        }
    }
}

impl From<Shown> for Holding {
    /// What is malformed counts as absent: it is only ever compared.
    fn from(it: Shown) -> Self {
        let key = |it: Key| (KeyVersion(it.version), it.fingerprint.as_ref().try_into().ok());
        Self {
            keys: it.keys.into_iter().map(key).collect(),
            current: KeyVersion(it.current),
            locked: it.locked,
            lock: it.lock.and_then(|it| Uuid::from_slice(&it).ok()),
            lock_generation: it.lock_generation,
        }
    }
}

impl From<How> for Import {
    fn from(how: How) -> Self {
        match how {
            How::Add => Self::Add,
            How::Unlock => Self::Unlock,
            How::Replace => Self::Replace,
        }
    }
}

impl Bundle {
    /// All keys of this node, to be offered like this.
    pub(super) fn of(keyring: &Keyring, how: Import) -> Result<Self, KeyringError> {
        let how = match how {
            Import::Add => How::Add,
            Import::Unlock => How::Unlock,
            Import::Replace => How::Replace,
        };
        let giver = Shown::from(&Holding::of(keyring));
        let bytes = keyring.export_bundle()?.to_bytes()?;
        Ok(Self {
            keys: bytes.to_vec().into(),
            how: how.into(),
            giver: Some(giver),
        })
    }

    /// The keys, what the giver holds, and how they are offered.
    pub(super) fn parts(self) -> Result<(KeyBundle, Holding, Import), KeyringError> {
        let how = self.how().into();
        let keys = KeyBundle::from_bytes(&self.keys)?;
        let giver = self.giver.ok_or(KeyringError::BadBundle)?;
        Ok((keys, giver.into(), how))
    }
}
