//! Show, make, change and delete, for whichever kind of resource.

use http::StatusCode;
use http::header::ETAG;
use model::{Actor, Command, State};
use tokio::time::timeout_at;

use super::dispatch::Call;
use super::list::list;
use crate::answer::Answer;
use crate::errors::ApiError;
use crate::fields::{Mode, Values, check, show};
use crate::output::Out;
use crate::port::Submitted;
use crate::request::Incoming;
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable};

/// A page of all that the account may see.
pub fn list_all<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let realm = call.realm();
    list::<R>(&realm, R::all(&realm), call.parts, &call.query)
}

/// One object.
pub fn retrieve<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let realm = call.realm();
    let own = R::find(&realm, &call.id).ok_or(ApiError::NotFound)?;
    Ok(shown::<R>(StatusCode::OK, &realm, own, None))
}

/// Makes one.
pub async fn create<R: Create>(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let body = body.json(&call.parts.headers).await?;
    let prepared = {
        let realm = call.realm();
        let values = checked::<R>(&realm, &body, None)?;
        R::create(&realm, values)?
    };
    let done = submit(call, prepared.command).await?;
    let nothing = || ApiError::Internal("a command that makes something answered without it".to_owned());
    let made = R::from_outcome(done.outcome).ok_or_else(nothing)?;
    let reveal = prepared.reveal;
    Ok(shown::<R>(
        StatusCode::CREATED,
        &call.realm_of(&done.state),
        &made,
        reveal,
    ))
}

/// Changes one.
pub async fn update<R: Update>(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let own = R::find(&call.realm(), &call.id).ok_or(ApiError::NotFound)?.clone();
    let body = body.json(&call.parts.headers).await?;
    let values = checked::<R>(&call.realm(), &body, Some(&own))?;
    let done = submit(call, R::update(&own, values)?).await?;
    let realm = call.realm_of(&done.state);
    let changed = match R::from_outcome(done.outcome) {
        Some(changed) => changed,
        // Not every command answers with what it changed.
        None => R::find(&realm, &call.id).ok_or(ApiError::NotFound)?.clone(),
    };
    Ok(shown::<R>(StatusCode::OK, &realm, &changed, None))
}

/// Deletes one.
pub async fn delete<R: Delete>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let command = R::delete(R::find(&call.realm(), &call.id).ok_or(ApiError::NotFound)?);
    submit(call, command).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn checked<R: Writable>(
    realm: &Realm<'_>,
    body: &crate::json::Value,
    own: Option<&R::Model>,
) -> Result<Values, ApiError> {
    let mode = if own.is_some() { Mode::Patch } else { Mode::Create };
    let specs = || R::FIELDS.iter().map(|field| &field.spec);
    let mut checked = check(specs(), body, mode, realm)?;
    R::check(realm, &checked.values, own, &mut checked.errors);
    if checked.errors.is_empty() {
        Ok(checked.values)
    } else {
        Err(checked.errors.sorted_like(specs().map(|spec| spec.name)).into())
    }
}

async fn submit(call: &Call<'_>, command: Command) -> Result<Submitted, ApiError> {
    let actor = Actor::Account(call.asker.account.id);
    // The port keeps deadlines of its own and knows more; this one only makes sure that a client never hangs.
    match timeout_at(call.deadline, call.control.submit(actor, command)).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ApiError::OutcomeUnknown(
            "The cluster did not answer in time; the change may or may not take effect.".to_owned(),
        )),
    }
}

fn shown<R: Resource>(
    status: StatusCode,
    realm: &Realm<'_>,
    model: &R::Model,
    reveal: Option<(&'static str, String)>,
) -> Answer {
    let mut body = show(R::FIELDS, &R::view(realm, model));
    if let (Some((name, value)), Out::Object(members)) = (reveal, &mut body) {
        members.push((name.into(), value.into()));
    }
    let answer = Answer::json(status, body);
    match R::revision(model) {
        Some(revision) => answer.with(ETAG, format!("\"{revision}\"")),
        None => answer,
    }
}

impl Call<'_> {
    /// The state that the request was read with.
    pub fn realm(&self) -> Realm<'_> {
        self.realm_of(&self.state)
    }

    fn realm_of<'a>(&'a self, state: &'a State) -> Realm<'a> {
        Realm::new(state, &self.asker.account, self.control)
    }
}
