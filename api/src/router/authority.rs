//! `/api/cluster/ca/` and `/api/cluster/leader/`: for admins only.

use http::StatusCode;
use model::NodeId;

use super::call::Call;
use super::keyring::sent;
use crate::answer::Answer;
use crate::errors::{ApiError, FieldErrors};
use crate::fields;
use crate::port::{Authorities, TransferFault};
use crate::request::Incoming;
use crate::resources::authority::{VIEW, nodes};
use crate::resources::cluster;
use crate::texts;

/// How the authority stands.
pub async fn show(call: &Call<'_>) -> Result<Answer, ApiError> {
    shown(call, StatusCode::OK).await
}

/// Begins a rotation.
pub async fn rotate(call: &Call<'_>) -> Result<Answer, ApiError> {
    authorities(call)?.rotate(call.asker.account.id).await?;
    shown(call, StatusCode::ACCEPTED).await
}

/// Lets another node lead, and answers with the cluster as it is then.
pub async fn transfer(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let to = sent(call, cluster::LEADER, body).await?.integer("to").map(NodeId);
    if let Some(unknown) = to.filter(|it| call.control.local().node(*it).is_none()) {
        return Err(FieldErrors::one("to", texts::no_such_object(&unknown.to_string())).into());
    }
    let done = call.control.transfer_leadership(to).await;
    done.map_err(|fault| match fault {
        TransferFault::Refused(why) => ApiError::Conflict(why),
        TransferFault::Unavailable(why) => ApiError::Unavailable(why),
    })?;
    let state = call.control.local();
    let view = cluster::view(&call.realm_of(&state, &call.terms()));
    Ok(Answer::json(StatusCode::OK, fields::show(cluster::FIELDS, &view)))
}

fn authorities<'a>(call: &'a Call<'_>) -> Result<&'a dyn Authorities, ApiError> {
    let none = || ApiError::Unavailable("This node has no certificate authority.".to_owned());
    call.control.authorities().ok_or_else(none)
}

async fn shown(call: &Call<'_>, status: StatusCode) -> Result<Answer, ApiError> {
    let view = authorities(call)?.show().await?;
    let state = call.control.local();
    let nodes = nodes(&call.realm_of(&state, &call.terms()), &view);
    Ok(Answer::json(status, fields::show(VIEW, &(view, nodes))))
}
