//! Which keys the cluster uses. The keys themselves never come here.

use super::{Context, Decision, secret};
use crate::{
    Authority, AuthorityStep, Change, Cluster, KeyVersion, KeyringState, Kind, Rejection, Sealed, SealedAt, SecretValue,
};
use uuid::Uuid;

pub(super) fn rotate(cx: &Context<'_>, to: KeyVersion) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let cluster = cluster(cx)?;
    // An announced authority has its key under the current one, and would keep that from being retired.
    let rotation = cx.state.authority_under_way().map(|it| &it.step);
    let is_announced = matches!(rotation, Some(AuthorityStep::Announced(_)));
    if to.0 != cluster.keyring.current.0 + 1 || is_announced {
        return Err(Rejection::Stale);
    }
    Ok(with(
        cluster,
        KeyringState {
            current: to,
            ..cluster.keyring.clone()
        },
    ))
}

/// Only the data key's wrapping may differ from what is there; whatever was changed meanwhile is passed over.
pub(super) fn rewrap(cx: &Context<'_>, values: &[(SealedAt, Sealed)]) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let cluster = cluster(cx)?;
    let fits =
        |old: &Sealed, new: &Sealed| old.value == new.value && old.key < new.key && new.key <= cluster.keyring.current;
    let changes = values.iter().filter_map(|(at, new)| match at {
        SealedAt::Value(id) => {
            let old = secret::find_value(cx, *id).ok().filter(|it| fits(&it.sealed, new))?;
            let value = SecretValue {
                sealed: new.clone(),
                ..old.clone()
            };
            Some(value.into())
        }
        SealedAt::Authority => fits(&cluster.authority.key, new).then(|| {
            Change::from(Cluster {
                authority: Authority {
                    key: new.clone(),
                    ..cluster.authority.clone()
                },
                ..cluster.clone()
            })
        }),
    });
    Ok(Decision::done(changes.collect()))
}

pub(super) fn retire(cx: &Context<'_>, oldest: KeyVersion) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let cluster = cluster(cx)?;
    let in_use = cluster.authority.key.key < oldest || cx.state.values_sealed_before(oldest).next().is_some();
    if in_use {
        return Err(Rejection::InUse {
            kind: Kind::Keyring,
            used_by: format!("values sealed by a key older than version {oldest}"),
        });
    }
    if oldest > cluster.keyring.current || oldest <= cluster.keyring.oldest {
        return Err(Rejection::Stale);
    }
    Ok(with(
        cluster,
        KeyringState {
            oldest,
            ..cluster.keyring.clone()
        },
    ))
}

pub(super) fn set_lock(cx: &Context<'_>, lock: Option<Uuid>) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let cluster = cluster(cx)?;
    Ok(with(
        cluster,
        KeyringState {
            lock,
            ..cluster.keyring.clone()
        },
    ))
}

fn cluster<'a>(cx: &Context<'a>) -> Result<&'a Cluster, Rejection> {
    cx.state.cluster().ok_or(Rejection::Stale)
}

fn with(cluster: &Cluster, keyring: KeyringState) -> Decision {
    Decision::done(vec![
        Cluster {
            keyring,
            ..cluster.clone()
        }
        .into(),
    ])
}
