//! `/api/keyring/`: the keys of all nodes. For admins only.

use http::StatusCode;
use zeroize::Zeroizing;

use super::call::Call;
use crate::answer::Answer;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Mode, Values, check};
use crate::output::Out;
use crate::port::{KeyringHeld, KeyringNode, Keyrings};
use crate::request::Incoming;
use crate::resource::Realm;
use crate::resources::keyring::{LOCK, PASSPHRASE, VIEW};
use crate::{fields, texts};

/// How they stand.
pub async fn show(call: &Call<'_>) -> Result<Answer, ApiError> {
    shown(call, StatusCode::OK).await
}

/// Begins a rotation.
pub async fn rotate(call: &Call<'_>) -> Result<Answer, ApiError> {
    keyrings(call)?.rotate(call.asker.account.id).await?;
    shown(call, StatusCode::ACCEPTED).await
}

/// Sets a passphrase, or has the keys forgotten, or both.
pub async fn lock(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let mut values = sent(call, LOCK, body).await?;
    let now = values.boolean("now").unwrap_or(false);
    let passphrase = values.text("passphrase").map(Zeroizing::new);
    if passphrase.is_none() && !now {
        return Err(FieldErrors::one("passphrase", texts::REQUIRED).into());
    }
    keyrings(call)?.lock(call.asker.account.id, passphrase, now).await?;
    shown(call, StatusCode::OK).await
}

/// Opens this node's keyring and those of the others.
pub async fn unlock(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let passphrase = passphrase_in(call, PASSPHRASE, body).await?;
    keyrings(call)?.unlock(passphrase).await?;
    shown(call, StatusCode::OK).await
}

/// Takes the passphrase away.
pub async fn remove_lock(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let passphrase = passphrase_in(call, PASSPHRASE, body).await?;
    keyrings(call)?.remove_lock(call.asker.account.id, passphrase).await?;
    shown(call, StatusCode::OK).await
}

fn keyrings<'a>(call: &'a Call<'_>) -> Result<&'a dyn Keyrings, ApiError> {
    let none = || ApiError::Unavailable("This node keeps no keys.".to_owned());
    call.control.keyrings().ok_or_else(none)
}

async fn shown(call: &Call<'_>, status: StatusCode) -> Result<Answer, ApiError> {
    let view = keyrings(call)?.show().await;
    let state = call.control.local();
    let realm = call.realm_of(&state, &call.terms());
    let nodes = view.nodes.iter().map(|it| node(&realm, it)).collect();
    Ok(Answer::json(status, fields::show(VIEW, &(view, nodes))))
}

/// A node's line; what is not known of it is null.
fn node(realm: &Realm<'_>, it: &KeyringNode) -> Out {
    let held = it.held.as_ref().ok();
    let versions = |held: &KeyringHeld| held.versions.iter().map(|it| Out::from(it.0)).collect::<Out>();
    Out::object([
        ("id", it.node.0.into()),
        ("name", Out::or_null(realm.state.node(it.node).map(|it| &it.name))),
        ("versions", Out::or_null(held.map(versions))),
        ("current", Out::or_null(held.map(|it| it.current.0))),
        ("locked", Out::or_null(held.map(|it| it.locked))),
        ("autolock", Out::or_null(held.map(|it| it.autolock))),
        ("in_step", Out::or_null(held.map(|it| it.in_step))),
        ("error", Out::or_null(it.held.as_ref().err())),
    ])
}

/// What is sent as `passphrase`, by a table that has that field.
pub(super) async fn passphrase_in(
    call: &Call<'_>,
    table: &'static [Field<()>],
    body: &mut Incoming,
) -> Result<Zeroizing<String>, ApiError> {
    let mut values = sent(call, table, body).await?;
    let missing = || FieldErrors::one("passphrase", texts::REQUIRED);
    Ok(values.text("passphrase").map(Zeroizing::new).ok_or_else(missing)?)
}

/// What is sent, by a table.
pub(super) async fn sent(
    call: &Call<'_>,
    table: &'static [Field<()>],
    body: &mut Incoming,
) -> Result<Values, ApiError> {
    let (body, _) = body.json(&call.parts.headers).await?;
    let checked = check(table.iter().map(|it| &it.spec), &body, Mode::Create, &call.realm())?;
    if checked.errors.is_empty() {
        Ok(checked.values)
    } else {
        Err(checked.errors.into())
    }
}
