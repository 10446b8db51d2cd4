//! `/api/auth/`: logging in and out of the web interface, and who one is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::StatusCode;
use http::header::SET_COOKIE;
use model::{Account, Actor, Command, Kind, OperationId, Scope, Submission, Timestamp};
use zeroize::Zeroizing;

use super::{CSRF_COOKIE, Proof, SESSION_COOKIE, hash, new_secret, password};
use crate::answer::Answer;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Lookup, Mode, Shape, check, show};
use crate::output::Out;
use crate::port::ControlPlane;
use crate::request::Incoming;
use crate::resources::scope_word;
use crate::router::call::Call;
use crate::texts;

/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(14 * 24 * 3600);
/// So many failures in a row are free; then each doubles the wait.
const FREE_FAILURES: u32 = 5;
/// The longest wait between attempts.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Names are remembered up to this many.
const NAMES_MAX: usize = 10_000;

/// What a login sends.
pub const FIELDS: &[Field<()>] = &[
    Field::required("username", TEXT, "The user name.", |()| Out::Null),
    Field::required("password", TEXT, "The password.", |()| Out::Null),
];

const TEXT: Shape = Shape::Text {
    max: 1024,
    blank: false,
};

/// Failed logins by user name, on this node.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<String, (u32, Timestamp)>>);

impl Failures {
    /// Seconds until this name may be tried again.
    fn wait(&self, name: &str, now: Timestamp) -> Option<u32> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last) = *known.get(name)?;
        let doublings = count.checked_sub(FREE_FAILURES)?.min(16);
        let wait = Duration::from_secs(1 << doublings).min(WAIT_MAX);
        let left = wait.saturating_sub(now.since(last));
        (!left.is_zero()).then(|| u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
    }

    fn failed(&self, name: &str, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= NAMES_MAX {
            known.retain(|_, (_, last)| now.since(*last) < WAIT_MAX);
        }
        let (count, last) = known.entry(name.to_owned()).or_default();
        *count += 1;
        *last = now;
    }

    fn succeeded(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// Nothing can be referred to by somebody who is nobody yet.
struct Nothing;

impl Lookup for Nothing {
    fn exists(&self, _: Kind, _: uuid::Uuid) -> bool {
        false
    }
}

/// Logs in: 200 with the account and two cookies, or 400 without a word on what was wrong.
///
/// # Errors
/// Bad fields, wrong credentials, too many attempts, no quorum.
pub async fn login(
    control: &dyn ControlPlane,
    failures: &Failures,
    headers: &http::HeaderMap,
    secure: bool,
    body: &mut Incoming,
) -> Result<Answer, ApiError> {
    let (body, _) = body.json(headers).await?;
    let checked = check(FIELDS.iter().map(|it| &it.spec), &body, Mode::Create, &Nothing)?;
    if !checked.errors.is_empty() {
        return Err(checked.errors.into());
    }
    let mut values = checked.values;
    let name = values.text("username").unwrap_or_default();
    let password = Zeroizing::new(values.text("password").unwrap_or_default());
    let now = control.now();
    if let Some(seconds) = failures.wait(&name, now) {
        return Err(ApiError::Throttled(seconds));
    }
    let state = control.read().await?;
    let account = state.account_by_name(&name);
    let known = account.and_then(|it| it.password.clone());
    let account = account.filter(|_| known.is_some()).cloned();
    let right = password::verify(password, known).await?;
    let Some(account) = account.filter(|_| right) else {
        failures.failed(&name, now);
        return Err(FieldErrors::one("non_field_errors", texts::BAD_LOGIN).into());
    };
    failures.succeeded(&name);
    let (session, csrf) = (new_secret("")?, new_secret("")?);
    let command = Command::CreateSession {
        account: account.id,
        hash: hash(session.as_bytes()),
        csrf_hash: hash(csrf.as_bytes()),
        expires_at: now.max(state.now()).after(SESSION),
    };
    let operation = OperationId(uuid::Uuid::now_v7());
    let actor = Actor::Account(account.id);
    control.submit(Submission::new(operation, actor, command)).await?;
    let answer = shown(&account, Scope::Full, "session");
    Ok(answer
        .with(SET_COOKIE, cookie(SESSION_COOKIE, session, true, secure).to_string())
        .with(SET_COOKIE, cookie(CSRF_COOKIE, csrf, false, secure).to_string()))
}

/// Ends the session that asks; a key is left alone. The cookies go either way.
///
/// # Errors
/// As every write.
pub async fn logout(call: &Call<'_>) -> Result<Answer, ApiError> {
    if let Proof::Session(session) = &call.asker.proof {
        call.submit(Command::EndSession(session.id), &call.terms()).await?;
    }
    let gone = |name: &'static str| {
        let mut cookie = cookie(name, String::new(), name == SESSION_COOKIE, false);
        cookie.make_removal();
        cookie.to_string()
    };
    Ok(Answer::empty(StatusCode::NO_CONTENT)
        .with(SET_COOKIE, gone(SESSION_COOKIE))
        .with(SET_COOKIE, gone(CSRF_COOKIE)))
}

/// Who asks, and how they proved it.
pub fn me(call: &Call<'_>) -> Answer {
    let via = match call.asker.proof {
        Proof::Key(_) => "api_key",
        Proof::Session(_) => "session",
    };
    shown(&call.asker.account, call.asker.scope, via)
}

/// Somebody, as they are shown to themselves.
pub struct Me {
    account: Account,
    scope: Scope,
    via: &'static str,
}

/// What is shown to somebody of themselves.
pub const ME: &[Field<Me>] = &[
    Field::read_only("id", Shape::Id, "The account's id.", |v| v.account.id.0.into()),
    Field::read_only("username", TEXT, "The user name.", |v| (&v.account.name).into()),
    Field::read_only("is_admin", Shape::Boolean, "Whether it manages the cluster.", |v| {
        v.account.is_admin.into()
    }),
    Field::read_only(
        "default_project",
        Shape::Reference(Kind::Project),
        "Where resources go that name no project.",
        |v| v.account.default_project.0.into(),
    ),
    Field::read_only(
        "scope",
        Shape::Choice(&["full", "read_only", "no_secret_values"]),
        "What the credentials may be used for.",
        |v| scope_word(v.scope).into(),
    ),
    Field::read_only(
        "authenticated_by",
        Shape::Choice(&["api_key", "session"]),
        "What was shown.",
        |v| v.via.into(),
    ),
];

fn shown(account: &Account, scope: Scope, via: &'static str) -> Answer {
    let me = Me {
        account: account.clone(),
        scope,
        via,
    };
    Answer::json(StatusCode::OK, show(ME, &me))
}

fn cookie(name: &'static str, value: String, http_only: bool, secure: bool) -> Cookie<'static> {
    Cookie::build((name, value))
        .path("/")
        .http_only(http_only)
        .secure(secure)
        .same_site(SameSite::Lax)
        .max_age(cookie::time::Duration::seconds(
            i64::try_from(SESSION.as_secs()).unwrap_or(i64::MAX),
        ))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_cost_ever_more_time_until_one_succeeds() {
        let failures = Failures::default();
        let at = |second: u64| Timestamp(second * 1_000_000);
        for _ in 0..FREE_FAILURES {
            assert_eq!(failures.wait("a", at(10)), None);
            failures.failed("a", at(10));
        }
        assert_eq!(failures.wait("a", at(10)), Some(2));
        assert_eq!(failures.wait("a", at(12)), None);
        failures.failed("a", at(12));
        assert_eq!(failures.wait("a", at(12)), Some(3));
        assert_eq!(failures.wait("b", at(12)), None);
        for _ in 0..40 {
            failures.failed("a", at(12));
        }
        assert_eq!(failures.wait("a", at(12)), Some(301));
        failures.succeeded("a");
        assert_eq!(failures.wait("a", at(12)), None);
    }
}
