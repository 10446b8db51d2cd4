//! Which bytes a rollout runs.

use super::{Context, Decision};
use crate::{Change, Deployment, DeploymentId, ImagePin, Key, PinSource, Rejection, Service};

/// A host has looked up the image of a rollout. The first answer counts: all replicas of one rollout run the same bytes.
pub(super) fn pin(cx: &Context<'_>, id: DeploymentId, digest: &str, source: PinSource) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let deployment = cx.state.deployment(id).ok_or(Rejection::Stale)?;
    if cx.state.image_pin(id).is_some() {
        return Ok(Decision::done(Vec::new()));
    }
    let pin = ImagePin {
        id,
        digest: digest.to_owned(),
        source,
        at: cx.now,
    };
    // Clients see it on the deployment.
    let seen = Deployment {
        revision: cx.revision,
        ..deployment.clone()
    };
    // Plans were made without it.
    let service = cx.state.service(deployment.service).map(|it| Service {
        touched: cx.revision,
        ..it.clone()
    });
    let mut changes = vec![pin.into(), seen.into()];
    changes.extend(service.map(Change::from));
    Ok(Decision::done(changes))
}

/// Has `next` run the bytes that an earlier rollout of the same image ran. Nothing where those are not known.
pub(super) fn keep(cx: &Context<'_>, from: DeploymentId, next: &Deployment) -> Option<Change> {
    let before = cx
        .state
        .deployment(from)
        .filter(|it| it.spec.image == next.spec.image)?;
    let pin = cx.state.image_pin(before.id)?;
    Some(
        ImagePin {
            id: next.id,
            source: PinSource::Kept,
            ..pin.clone()
        }
        .into(),
    )
}

/// What goes with a rollout that is gone.
pub(super) fn unpin(cx: &Context<'_>, id: DeploymentId) -> Option<Change> {
    let pin = cx.state.image_pin(id)?;
    Some(Change::Delete(Key::ImagePin(pin.id)))
}
