//! The checks in their order; the first that fails answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Shared;
use futures::FutureExt as _;
use http::header::{ALLOW, HeaderName};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use model::Scope;
use tokio::time::{Instant, timeout_at};

use super::dispatch::{self, Call};
use super::paths::{Admins, Path, Resolved, resolve};
use crate::answer::{Answer, Style};
use crate::auth;
use crate::config::{ApiConfig, RateLimit};
use crate::errors::ApiError;
use crate::output::Out;
use crate::port::{ControlPlane, Readiness};
use crate::request::{Incoming, Query, negotiate};

struct Api {
    control: Arc<dyn ControlPlane>,
    config: ApiConfig,
}

/// The whole API as a router; the caller owns the listener.
pub fn router(control: Arc<dyn ControlPlane>, config: ApiConfig) -> axum::Router {
    if let RateLimit::PerHour(limit) = config.rate_limit {
        tracing::warn!(limit, "an API rate limit is set, but this version does not enforce it");
    }
    // One table of our own decides on paths and methods: the order of the checks is part of the contract.
    axum::Router::new()
        .fallback(handle)
        .with_state(Arc::new(Api { control, config }))
}

async fn handle(Shared(api): Shared<Arc<Api>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let deadline = Instant::now() + api.config.deadline;
    let mut body = Incoming::new(body, &parts.headers, api.config.body_limit, deadline);
    let mut style = Style {
        indent: None,
        without_body: parts.method == Method::HEAD,
    };
    let work = answer(&api, &parts, &mut body, deadline, &mut style);
    let answer = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.unwrap_or_else(ApiError::into_answer),
        Err(_) => ApiError::Internal(format!("{} {} panicked", parts.method, parts.uri.path())).into_answer(),
    };
    body.drain().await;
    answer.into_response(style)
}

async fn answer(
    api: &Api,
    parts: &Parts,
    body: &mut Incoming,
    deadline: Instant,
    style: &mut Style,
) -> Result<Answer, ApiError> {
    if let Some(answer) = health(api, parts) {
        return answer;
    }
    let (path, id) = match resolve(parts.uri.path()) {
        Resolved::Found(path, id) => (path, id),
        Resolved::NeedsSlash => return Err(ApiError::Moved(with_slash(parts))),
        Resolved::Unknown => return Err(ApiError::NotFound),
    };
    let query = Query::parse(parts.uri.query());
    if !matches!(query.last("format"), None | Some("" | "json")) {
        return Err(ApiError::NotFound);
    }
    style.indent = negotiate(&parts.headers)?.indent;

    let credentials = auth::credentials(&parts.headers)?;
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
    let local = safe && query.last("consistency") == Some("local");
    let staleness = local.then(|| api.control.staleness());
    let state = if local {
        api.control.local()
    } else {
        let late =
            |_| ApiError::Unavailable("The cluster did not confirm in time that this node is up to date.".into());
        timeout_at(deadline, api.control.read()).await.map_err(late)??
    };
    let asker = auth::identify(&credentials, &state, api.control.now())?;
    permit(path, &asker, safe)?;
    // Rate limits are checked here, between permission and method, once they are part of the replicated state.
    if !path.allows(parts.method.as_str()) {
        return Err(ApiError::MethodNotAllowed {
            method: parts.method.as_str().to_owned(),
            allow: path.allow_header(),
        });
    }
    let answer = if parts.method == Method::OPTIONS {
        options(path)
    } else {
        let call = Call {
            control: &*api.control,
            parts,
            query,
            id,
            asker,
            state,
            deadline,
        };
        dispatch::call(path.endpoint, call, body).await?
    };
    Ok(match staleness {
        Some(age) => answer.with(
            HeaderName::from_static("x-goblins-staleness-ms"),
            age.as_millis().to_string(),
        ),
        None => answer,
    })
}

fn permit(path: &Path, asker: &auth::Asker, safe: bool) -> Result<(), ApiError> {
    let needs_admin = match path.admins {
        Admins::NotNeeded => false,
        Admins::ToChange => !safe,
        Admins::Always => true,
    };
    let refused = asker.scope == Scope::ReadOnly && !safe || needs_admin && !asker.account.is_admin;
    if refused { Err(ApiError::Forbidden) } else { Ok(()) }
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

/// The two paths that need no credentials and no cluster.
fn health(api: &Api, parts: &Parts) -> Option<Result<Answer, ApiError>> {
    let answer = match parts.uri.path() {
        "/healthz" => Answer::json(StatusCode::OK, Out::object([("status", "ok".into())])),
        "/readyz" => match api.control.readiness() {
            Readiness::Ready => Answer::json(StatusCode::OK, Out::object([("status", "ready".into())])),
            Readiness::Waiting(what) => Answer::json(
                StatusCode::SERVICE_UNAVAILABLE,
                Out::object([("status", "waiting".into()), ("detail", what.into())]),
            ),
        },
        _ => return None,
    };
    if [Method::GET, Method::HEAD].contains(&parts.method) {
        return Some(Ok(answer));
    }
    let method = parts.method.as_str().to_owned();
    Some(Err(ApiError::MethodNotAllowed {
        method,
        allow: "GET, HEAD".to_owned(),
    }))
}
