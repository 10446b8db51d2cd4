//! Show, make, change and delete, for whichever kind of resource.

use http::StatusCode;
use http::header::ETAG;
use model::{Command, Expect, Outcome, Rejection, Scope, State};

use super::call::{Call, Terms};
use super::condition::{etag, expect};
use super::list::list;
use super::promise;
use crate::answer::Answer;
use crate::errors::ApiError;
use crate::fields::{Field, Mode, Values, check, show};
use crate::json::Value;
use crate::output::Out;
use crate::port::Submitted;
use crate::request::Incoming;
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable};
use crate::resources::{Deployments, SecretItems, Workload, Workloads, rollback};

/// A page of all that the account may see.
pub fn list_all<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let realm = call.realm();
    require_parent::<R>(&realm)?;
    list::<R>(&realm, call.parts, call.query)
}

/// One object.
pub fn retrieve<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let realm = call.realm();
    let own = find::<R>(&realm, &call.ids.id)?;
    Ok(shown::<R>(StatusCode::OK, R::view(&realm, own), own))
}

/// Makes one.
pub async fn create<R: Create>(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    require_parent::<R>(&call.realm())?;
    let (body, bytes) = body.json(&call.parts.headers).await?;
    let terms = promise::terms(call, &bytes)?;
    let values = |realm: &Realm<'_>| checked::<R>(realm, &body, None);
    if let Some(outcome) = promise::kept(call.state, &terms)? {
        // What was sent was good then, and is shown again.
        let realm = call.realm_of(call.state, &terms);
        let (values, _) = unjudged::<R>(&realm, &body, Mode::Create)?;
        return born::<R>(&realm, outcome, R::echo(&values));
    }
    let (command, echo) = {
        let realm = call.realm_of(call.state, &terms);
        let values = values(&realm)?;
        let echo = R::echo(&values);
        (R::create(&realm, values)?, echo)
    };
    let done = call.submit(command, &terms).await?;
    born::<R>(&call.realm_of(&done.state, &terms), done.outcome, echo)
}

fn born<R: Create>(realm: &Realm<'_>, outcome: Outcome, echo: Option<(&'static str, Out)>) -> Result<Answer, ApiError> {
    let nothing = || ApiError::Internal("a command that makes something answered without it".to_owned());
    let made = R::from_outcome(outcome).ok_or_else(nothing)?;
    let mut answer = shown::<R>(StatusCode::CREATED, R::newborn(realm, &made), &made);
    if let Some((name, value)) = echo {
        answer.set(name, value);
    }
    if let Some((name, value)) = R::reveal(realm, &made)? {
        answer.set(name, value.into());
    }
    Ok(answer)
}

/// Changes one.
pub async fn update<R: Update>(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let found = as_expected::<R>(call);
    // Said before the body is looked at; but what was changed under a key may have gone on since.
    let found = if promise::is_known(call) { found } else { Ok(found?) };
    let (body, bytes) = body.json(&call.parts.headers).await?;
    let mut terms = promise::terms(call, &bytes)?;
    if let Some(outcome) = promise::kept(call.state, &terms)? {
        let (values, _) = unjudged::<R>(&call.realm_of(call.state, &terms), &body, Mode::Patch)?;
        return changed::<R>(call, call.state, outcome, R::echo(&values));
    }
    let (own, expect) = found?;
    terms.expect = expect;
    let values = checked::<R>(&call.realm(), &body, Some(&own))?;
    let echo = R::echo(&values);
    let done = change::<R>(call, terms, own, &values).await?;
    changed::<R>(call, &done.state, done.outcome, echo)
}

/// The object that is asked for, and what must not change until the command is applied.
fn as_expected<R: Resource>(call: &Call<'_>) -> Result<(R::Model, Option<Expect>), ApiError> {
    let own = find::<R>(&call.realm(), &call.ids.id)?.clone();
    let expect = expect(&call.parts.headers, R::version(&own))?;
    Ok((own, expect))
}

fn changed<R: Update>(
    call: &Call<'_>,
    state: &State,
    outcome: Outcome,
    echo: Option<(&'static str, Out)>,
) -> Result<Answer, ApiError> {
    let realm = call.realm_of(state, &call.terms());
    let told = R::from_outcome(outcome);
    let changed = match &told {
        Some(changed) => changed,
        // Not every command answers with what it changed.
        None => find::<R>(&realm, &call.ids.id)?,
    };
    let mut answer = shown::<R>(StatusCode::OK, R::view(&realm, changed), changed);
    if let Some((name, value)) = echo {
        answer.set(name, value);
    }
    Ok(answer)
}

/// Proposes the change, again if what it was made from has moved on and the client did not say what it expects.
async fn change<R: Update>(
    call: &Call<'_>,
    mut terms: Terms,
    mut own: R::Model,
    values: &Values,
) -> Result<Submitted, ApiError> {
    let first = terms.operation;
    let mut state = call.state.clone();
    for next in 1.. {
        let command = R::update(&call.realm_of(&state, &terms), &own, values.clone())?;
        let source = R::version(&own).filter(|_| R::carries_over(&command));
        terms.source = source.map(|(key, revision)| Expect { key, revision });
        match call.submit(command, &terms).await {
            Err(ApiError::Rejected(Rejection::Stale)) if next < promise::ATTEMPTS => {}
            result => return result,
        }
        state = call.control.local();
        terms.operation = promise::attempt(first, next);
        own = find::<R>(&call.realm_of(&state, &terms), &call.ids.id)?.clone();
    }
    unreachable!("the last attempt returns")
}

/// Deletes one.
pub async fn delete<R: Delete>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut terms = promise::terms(call, b"")?;
    if promise::kept(call.state, &terms)?.is_none() {
        let (own, expect) = as_expected::<R>(call)?;
        terms.expect = expect;
        call.submit(R::delete(&own), &terms).await?;
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Shows a value of a secret. That it was read is on record before it is shown.
pub async fn reveal_secret(call: &Call<'_>) -> Result<Answer, ApiError> {
    if call.asker.scope == Scope::NoSecretValues {
        return Err(ApiError::Forbidden);
    }
    let key = {
        let realm = call.realm();
        let own = find::<SecretItems>(&realm, &call.ids.id)?;
        realm.state.secret_value(own.value()).map(|it| it.sealed.key)
    };
    if let Some(key) = key {
        call.sealer.obtain(key).await;
    }
    let item = {
        let realm = call.realm();
        let own = find::<SecretItems>(&realm, &call.ids.id)?;
        // What cannot be shown anyway is neither recorded nor counted.
        SecretItems::opened(&realm, own)?;
        own.id
    };
    let read = Command::RecordSecretRead(item);
    let done = call.submit(read, &call.terms()).await?;
    let realm = call.realm_of(&done.state, &call.terms());
    let own = find::<SecretItems>(&realm, &call.ids.id)?;
    Ok(shown::<SecretItems>(
        StatusCode::OK,
        SecretItems::opened(&realm, own)?,
        own,
    ))
}

/// Brings an earlier revision back.
pub async fn roll_back(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let own = find::<Deployments>(&call.realm(), &call.ids.id)?.clone();
    begin(call, body, |values| rollback::command(&own, values)).await
}

/// Replaces every replica by a new one of the same revision.
pub async fn restart<K: Workload>(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    let service = find::<Workloads<K>>(&call.realm(), &call.ids.parent)?.id;
    let command = |mut values: Values| Command::RestartService {
        service,
        notes: values.text("notes").unwrap_or_default(),
    };
    begin(call, body, command).await
}

/// Begins a deployment, perhaps with a note, and answers with it.
async fn begin(
    call: &Call<'_>,
    body: &mut Incoming,
    command: impl FnOnce(Values) -> Command,
) -> Result<Answer, ApiError> {
    let (body, bytes) = body.json(&call.parts.headers).await?;
    let terms = promise::terms(call, &bytes)?;
    let outcome = match promise::kept(call.state, &terms)? {
        Some(outcome) => outcome,
        None => {
            let (values, errors) = unjudged_by(&call.realm(), rollback::FIELDS, &body, Mode::Create)?;
            if !errors.is_empty() {
                return Err(errors.into());
            }
            call.submit(command(values), &terms).await?.outcome
        }
    };
    let Some(made) = rollback::made(outcome) else {
        return Err(ApiError::Internal(
            "a deployment that begins was not answered with".to_owned(),
        ));
    };
    let state = call.control.local();
    let realm = call.realm_of(&state, &terms);
    Ok(shown::<Deployments>(
        StatusCode::CREATED,
        Deployments::newborn(&realm, &made),
        &made,
    ))
}

fn require_parent<R: Resource>(realm: &Realm<'_>) -> Result<(), ApiError> {
    if R::has_parent(realm) {
        Ok(())
    } else {
        Err(ApiError::NotFound)
    }
}

fn find<'a, R: Resource>(realm: &Realm<'a>, id: &str) -> Result<&'a R::Model, ApiError> {
    require_parent::<R>(realm)?;
    R::find(realm, id).ok_or(ApiError::NotFound)
}

fn checked<R: Writable>(realm: &Realm<'_>, body: &Value, own: Option<&R::Model>) -> Result<Values, ApiError> {
    let mode = if own.is_some() { Mode::Patch } else { Mode::Create };
    let (values, mut errors) = unjudged::<R>(realm, body, mode)?;
    R::check(realm, &values, own, &mut errors);
    if errors.is_empty() {
        Ok(values)
    } else {
        Err(errors.sorted_like(R::FIELDS.iter().map(|field| field.spec.name)).into())
    }
}

fn unjudged<R: Resource>(
    realm: &Realm<'_>,
    body: &Value,
    mode: Mode,
) -> Result<(Values, crate::FieldErrors), ApiError> {
    unjudged_by(realm, R::FIELDS, body, mode)
}

fn unjudged_by<V>(
    realm: &Realm<'_>,
    fields: &'static [Field<V>],
    body: &Value,
    mode: Mode,
) -> Result<(Values, crate::FieldErrors), ApiError> {
    let checked = check(fields.iter().map(|field| &field.spec), body, mode, realm)?;
    Ok((checked.values, checked.errors))
}

fn shown<R: Resource>(status: StatusCode, view: R::View, model: &R::Model) -> Answer {
    let answer = Answer::json(status, show(R::FIELDS, &view));
    match R::version(model) {
        Some((_, revision)) => answer.with(ETAG, etag(revision)),
        None => answer,
    }
}
