//! From what goes wrong with keyrings to what the API says of it.

use api::{KeyringFault, SubmitError};
use storage::{Keyring, KeyringError};

use super::Keyrings;
use crate::adapters::{chain, submit_error};

pub(super) fn of_keyring(error: &KeyringError) -> KeyringFault {
    match error {
        KeyringError::Locked => KeyringFault::Locked,
        KeyringError::WrongPassphrase { wait_seconds } => KeyringFault::WrongPassphrase {
            wait_seconds: *wait_seconds,
        },
        KeyringError::TooManyAttempts { wait_seconds } => KeyringFault::TooManyAttempts {
            wait_seconds: *wait_seconds,
        },
        KeyringError::PassphraseLength { .. } => KeyringFault::BadPassphrase(error.to_string()),
        KeyringError::NoPassphrase => KeyringFault::NoPassphrase,
        _ => KeyringFault::Failed(chain(error)),
    }
}

pub(super) fn of_submit(error: raft::SubmitError) -> KeyringFault {
    match submit_error(error) {
        SubmitError::Rejected(model::Rejection::Stale) => {
            KeyringFault::UnderWay("another rotation has just begun".to_owned())
        }
        other => KeyringFault::Submit(other),
    }
}

impl Keyrings {
    /// Uses the keyring where blocking is allowed: passphrases take a good part of a second, changes end on the disk.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keyring) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let keyring = self.keyring.clone();
        match tokio::task::spawn_blocking(move || work(&keyring)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The daemon is stopping.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
