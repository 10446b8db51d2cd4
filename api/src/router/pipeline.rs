//! The checks in their order; the first that fails answers.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::Body;
use axum::extract::State as Shared;
use futures::FutureExt as _;
use http::header::{ALLOW, HeaderName};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use model::{Charge, Command, OperationId, QuotaId, QuotaKind, Rejection, Scope, State};
use tokio::time::Instant;

use super::basis::{Basis, Heard, is_judged_again};
use super::call::{Call, follows};
use super::paths::{Access, Endpoint, Ids, Path, Resolved, resolve};
use super::{dispatch, probes};
use crate::answer::{Answer, Style};
use crate::auth::login::Failures;
use crate::auth::{self, Credentials, Proof, Touches, login};
use crate::config::{ApiConfig, RateLimit};
use crate::errors::ApiError;
use crate::logs;
use crate::meter::Meter;
use crate::output::Out;
use crate::port::{ControlPlane, Sealer};
use crate::request::{Incoming, Query, negotiate};

struct Api {
    control: Arc<dyn ControlPlane>,
    sealer: Arc<dyn Sealer>,
    config: ApiConfig,
    touches: Touches,
    failures: Failures,
    meter: Meter,
}

/// The whole API as a router; the caller owns the listener.
pub fn router(control: Arc<dyn ControlPlane>, sealer: Arc<dyn Sealer>, config: ApiConfig) -> axum::Router {
    // One table of our own decides on paths and methods: the order of the checks is part of the contract.
    axum::Router::new().fallback(handle).with_state(Arc::new(Api {
        control,
        sealer,
        config,
        touches: Touches::default(),
        failures: Failures::default(),
        meter: Meter::new(),
    }))
}

async fn handle(Shared(api): Shared<Arc<Api>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let began = Instant::now();
    let deadline = began + api.config.deadline;
    let mut body = Incoming::new(body, &parts.headers, api.config.body_limit, deadline);
    let mut style = Style {
        indent: None,
        without_body: parts.method == Method::HEAD,
    };
    let resolved = resolve(parts.uri.path());
    let pattern = match &resolved {
        Resolved::Found(path, _) => Some(path.pattern),
        Resolved::NeedsSlash | Resolved::Unknown => None,
    };
    let work = answer(&api, &parts, resolved, &mut body, deadline, &mut style);
    let answer = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.unwrap_or_else(ApiError::into_answer),
        Err(_) => ApiError::Internal(format!("{} {} panicked", parts.method, parts.uri.path())).into_answer(),
    };
    let status = answer.status.as_u16();
    api.meter.count(parts.method.as_str(), pattern, status, began.elapsed());
    body.drain().await;
    answer.into_response(style)
}

async fn answer(
    api: &Api,
    parts: &Parts,
    resolved: Resolved,
    body: &mut Incoming,
    deadline: Instant,
    style: &mut Style,
) -> Result<Answer, ApiError> {
    if let Some(answer) = probes::answer(&*api.control, &api.meter, parts) {
        return answer;
    }
    let (path, ids) = match resolved {
        Resolved::Found(path, ids) => (path, ids),
        Resolved::NeedsSlash => return Err(ApiError::Moved(with_slash(parts))),
        Resolved::Unknown => return Err(ApiError::NotFound),
    };
    let query = Query::parse(parts.uri.query());
    if !takes_format(path, &query) {
        return Err(ApiError::NotFound);
    }
    if path.access == Access::Open {
        return open(api, path, parts, body, style).await;
    }
    if !takes_anything_else(path, &query) {
        style.indent = negotiate(&parts.headers)?.indent;
    }

    let asked = Asked {
        parts,
        path,
        ids,
        query,
        credentials: auth::credentials(&parts.headers)?,
        safe: auth::is_safe(&parts.method),
        operation: OperationId(uuid::Uuid::now_v7()),
        heard: Heard::default(),
        deadline,
    };
    let control = &*api.control;
    let local = asked.safe && asked.query.last("consistency") == Some("local");
    let staleness = local.then(|| control.staleness());
    let mut basis = match local {
        true => Basis::Confirmed(control.local()),
        false => Basis::first(control, path, asked.safe, deadline).await?,
    };
    let answer = loop {
        let result = asked.judge(api, &basis, body).await;
        match basis.next(control, &asked.heard, deadline).await? {
            Some(next) => basis = next,
            None => break result?,
        }
    };
    Ok(match staleness {
        Some(age) => answer.with(
            HeaderName::from_static("x-goblins-staleness-ms"),
            age.as_millis().to_string(),
        ),
        None => answer,
    })
}

/// A request of somebody who has shown credentials.
struct Asked<'a> {
    parts: &'a Parts,
    path: &'a Path,
    ids: Ids,
    query: Query,
    credentials: Credentials,
    safe: bool,
    operation: OperationId,
    heard: Heard,
    deadline: Instant,
}

impl Asked<'_> {
    /// The checks that need a state, and what was asked for.
    async fn judge(&self, api: &Api, basis: &Basis, body: &mut Incoming) -> Result<Answer, ApiError> {
        let Self { parts, path, .. } = *self;
        let (state, now) = (basis.state(), api.control.now());
        let asker = auth::identify(&self.credentials, state, now)?;
        if let Proof::Key(key) = asker.proof {
            api.touches.note(&api.control, state, key, now);
        }
        auth::check_csrf(&asker, &parts.method, &parts.headers)?;
        permit(path, &asker, self.safe)?;
        // A command that was refused has been paid for.
        let charge = match basis.refusal() {
            None => charge(api, path, &asker, state, self.safe)?,
            Some(_) => None,
        };
        let call = Call {
            control: Arc::clone(&api.control),
            sealer: Arc::clone(&api.sealer),
            parts,
            query: &self.query,
            ids: &self.ids,
            asker,
            credentials: &self.credentials,
            stop: api.config.stop.clone(),
            state,
            refusal: basis.refusal(),
            is_warranted: is_judged_again(path.endpoint) && state.takes_warrants(),
            heard: &self.heard,
            deadline: self.deadline,
            operation: self.operation,
            charge: Mutex::new(charge),
            pulls: OnceLock::new(),
            bits: OnceLock::new(),
        };
        let result = if !path.allows(parts.method.as_str()) {
            Err(not_allowed(path, parts))
        } else if parts.method == Method::OPTIONS {
            Ok(options(path))
        } else {
            dispatch::call(path.endpoint, &call, body).await
        };
        // By an old state, nothing counts but a command, and that has paid.
        if !basis.may_be_old() {
            settle(&call).await?;
        }
        result
    }
}

/// What anybody may ask.
async fn open(
    api: &Api,
    path: &Path,
    parts: &Parts,
    body: &mut Incoming,
    style: &mut Style,
) -> Result<Answer, ApiError> {
    if !path.allows(parts.method.as_str()) {
        return Err(not_allowed(path, parts));
    }
    if parts.method == Method::OPTIONS {
        return Ok(options(path));
    }
    if let Some(answer) = dispatch::open(path.endpoint) {
        return Ok(answer);
    }
    style.indent = negotiate(&parts.headers)?.indent;
    let secure = api.config.secure_cookies;
    login::login(&*api.control, &api.failures, &parts.headers, secure, body).await
}

fn not_allowed(path: &Path, parts: &Parts) -> ApiError {
    ApiError::MethodNotAllowed {
        method: parts.method.as_str().to_owned(),
        allow: path.allow_header(),
    }
}

/// A stream of events is no JSON, nor are logs and backups, whatever the client accepts.
fn takes_anything_else(path: &Path, query: &Query) -> bool {
    match path.endpoint {
        Endpoint::Backup | Endpoint::ServiceLogs | Endpoint::WorkerLogs => true,
        Endpoint::ServiceExec | Endpoint::WorkerExec => true,
        Endpoint::Events => follows(query),
        _ => false,
    }
}

/// JSON can be asked for by name; logs have formats of their own.
fn takes_format(path: &Path, query: &Query) -> bool {
    match path.endpoint {
        Endpoint::ServiceLogs | Endpoint::WorkerLogs => logs::takes_format(query),
        _ => matches!(query.last("format"), None | Some("" | "json")),
    }
}

fn permit(path: &Path, asker: &auth::Asker, safe: bool) -> Result<(), ApiError> {
    let needs_admin = match path.access {
        Access::Open | Access::Known => false,
        Access::AdminsChange => !safe,
        Access::Admins => true,
    };
    let refused = asker.scope == Scope::ReadOnly && !safe || needs_admin && !asker.account.is_admin;
    if refused { Err(ApiError::Forbidden) } else { Ok(()) }
}

/// What the request will cost; refused here if that cannot be paid. Paid with the request's command, which is where two
/// racing requests are told apart.
fn charge(api: &Api, path: &Path, asker: &auth::Asker, state: &State, safe: bool) -> Result<Option<Charge>, ApiError> {
    let kind = match (path.endpoint, safe) {
        (Endpoint::Logout, _) => return Ok(None),
        (_, false) => QuotaKind::Operations,
        (Endpoint::SecretItem, true) => QuotaKind::SecretReads,
        (_, true) => return Ok(None),
    };
    let limit = match kind {
        QuotaKind::Operations => api.config.rate_limit,
        QuotaKind::SecretReads => api.config.secret_limit,
    };
    let RateLimit::PerHour(limit) = limit else {
        return Ok(None);
    };
    let account = asker.account.id;
    let now = api.control.now().max(state.now());
    let used = state.quota(QuotaId { account, kind });
    match used.and_then(|it| it.wait(limit, now)) {
        Some(seconds) => Err(ApiError::Throttled(seconds)),
        None => Ok(Some(Charge { kind, limit })),
    }
}

/// A request to change something counts even if it was refused before it became a command.
async fn settle(call: &Call<'_>) -> Result<(), ApiError> {
    let unpaid = call
        .charge
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some_and(|it| it.kind == QuotaKind::Operations);
    if !unpaid {
        return Ok(());
    }
    let mut terms = call.terms();
    terms.operation = OperationId(uuid::Uuid::now_v7());
    match call.submit(Command::Spend, &terms).await {
        Err(throttled @ ApiError::Rejected(Rejection::Throttled { .. })) => Err(throttled),
        // What it was charged for has been answered already.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn options(path: &Path) -> Answer {
    let json = || ["application/json"].into_iter().collect::<Out>();
    let body = Out::object([
        ("name", format!("{:?}", path.endpoint).into()),
        ("description", "".into()),
        ("renders", json()),
        ("parses", json()),
    ]);
    Answer::json(StatusCode::OK, body).with(ALLOW, path.allow_header())
}

/// The same path and query with a slash between them. What a header cannot hold is percent-encoded.
fn with_slash(parts: &Parts) -> String {
    let path: String = parts
        .uri
        .path()
        .bytes()
        .map(|b| {
            if b.is_ascii_graphic() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    match parts.uri.query() {
        Some(query) if !query.is_empty() => format!("{path}/?{query}"),
        _ => format!("{path}/"),
    }
}
