//! What is said of services beyond their specs.

use super::Context;
use super::context::References;
use crate::{
    Account, Change, DeploymentId, DeploymentSettings, Field, Key, Rejection, ServiceId, ServiceSettings, Setting,
    Settings,
};

/// What becomes of the record of what is wanted of a service. Nothing if it is that already.
pub(super) fn wanted(cx: &Context<'_>, id: ServiceId, wanted: &Settings) -> Option<Change> {
    let list = wanted.list();
    match cx.state.service_settings(id) {
        Some(known) if known.list == list => None,
        Some(_) if list.is_empty() => Some(Change::Delete(Key::ServiceSettings(id))),
        None if list.is_empty() => None,
        _ => Some(ServiceSettings { id, list }.into()),
    }
}

/// The record of what a new deployment is pinned to.
pub(super) fn pinned(id: DeploymentId, settings: &Settings) -> Option<Change> {
    let list = settings.list();
    (!list.is_empty()).then(|| DeploymentSettings { id, list }.into())
}

/// The records of a service and its deployments go with them.
pub(super) fn gone(cx: &Context<'_>, id: ServiceId, deployments: &[DeploymentId]) -> Vec<Change> {
    let pinned = deployments.iter().filter_map(|it| cx.state.deployment_settings(*it));
    let wanted = cx.state.service_settings(id).map(|it| Key::ServiceSettings(it.id));
    let keys = wanted
        .into_iter()
        .chain(pinned.map(|it| Key::DeploymentSettings(it.id)));
    keys.map(Change::Delete).collect()
}

/// What settings refer to has to exist.
pub(super) fn check(cx: &Context<'_>, references: &mut References, said: &[Setting]) {
    for it in said {
        if let Setting::RegistrySecret(Some(id)) = it {
            references.check(Field::RegistrySecret, id.0, cx.secret(*id).is_ok());
        }
    }
}

/// A folder of the host in a container is as good as the host: only those who manage it may give it away.
pub(super) fn require_admin(account: &Account, before: &Settings, wanted: &Settings) -> Result<(), Rejection> {
    let adds = wanted.volumes.iter().any(|it| !before.volumes.contains(it));
    if adds && !account.is_admin {
        return Err(Rejection::VolumesNeedAdmin);
    }
    Ok(())
}
