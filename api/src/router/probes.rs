//! The paths outside `/api/`, which need no credentials and no cluster.

use http::request::Parts;
use http::{Method, StatusCode};

use crate::answer::Answer;
use crate::errors::ApiError;
use crate::meter::Meter;
use crate::output::Out;
use crate::port::{ControlPlane, Readiness};

/// See <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether this process lives, whether it is of use, and what it measures; `None` for other paths.
pub fn answer(control: &dyn ControlPlane, meter: &Meter, parts: &Parts) -> Option<Result<Answer, ApiError>> {
    let answer = match parts.uri.path() {
        "/healthz" => Answer::json(StatusCode::OK, Out::object([("status", "ok".into())])),
        "/readyz" => match control.readiness() {
            Readiness::Ready => Answer::json(StatusCode::OK, Out::object([("status", "ready".into())])),
            Readiness::Waiting(what) => Answer::json(
                StatusCode::SERVICE_UNAVAILABLE,
                Out::object([("status", "waiting".into()), ("detail", what.into())]),
            ),
        },
        "/metrics" => Answer::text(OPEN_METRICS, meter.text(&control.metrics())),
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
