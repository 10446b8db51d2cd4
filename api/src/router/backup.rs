//! `/api/cluster/backup/`: the whole state as a file. For admins only, with full scope: it holds everything of every
//! account, and what lies in it was not counted as read.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, HeaderName};
use model::{Scope, State, Timestamp};

use super::call::Call;
use super::keyring::passphrase_in;
use crate::answer::Answer;
use crate::errors::ApiError;
use crate::port::BackupFault;
use crate::request::Incoming;
use crate::resources::keyring::SEALED_BY;

/// GET: the state, with what is sealed in it sealed. POST: with the cluster's keys, under a passphrase.
pub async fn answer(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    if call.asker.scope != Scope::Full {
        return Err(ApiError::Forbidden);
    }
    let passphrase = match call.method() {
        "POST" => Some(passphrase_in(call, SEALED_BY, body).await?),
        _ => None,
    };
    let none = || ApiError::Unavailable("This node takes no backups.".to_owned());
    let backups = call.control.backups().ok_or_else(none)?;
    let state = call.state.clone();
    let (index, name) = (state.revision(), state.clone());
    let with_keyring = passphrase.is_some();
    let taken = backups.take(state, passphrase).await.map_err(|fault| match fault {
        BackupFault::Busy(_) => ApiError::Unavailable(fault.to_string()),
        BackupFault::Keyring(fault) => fault.into(),
    })?;
    let by = &call.asker.account.name;
    tracing::info!(%by, %index, with_keyring, "a backup is being taken");
    let name = file_name(&name, taken.created_at);
    Ok(
        Answer::stream("application/octet-stream", Body::from_stream(taken.pieces))
            .with(CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))
            .with(CACHE_CONTROL, "no-store")
            .with(HeaderName::from_static("x-goblins-index"), index.to_string()),
    )
}

/// Such as `goblins-6ba7b810-9dad-11d1-80b4-00c04fd430c8-20260131T235959Z.backup`.
fn file_name(state: &State, at: Timestamp) -> String {
    let cluster = state.cluster().map(|it| it.id.to_string()).unwrap_or_default();
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    format!("goblins-{cluster}-{}.backup", at.strftime("%Y%m%dT%H%M%SZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_cluster_and_its_time() {
        let name = file_name(&State::default(), Timestamp(1_769_903_999_000_000));
        assert_eq!(name, "goblins--20260131T235959Z.backup");
    }
}
