//! The proxy's own answers. Each names what failed, on what, and what to do; its code has a page in `docs/errors/`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::body::AnswerBody;
use crate::hop::{REFUSED, Refused};

const REASON: HeaderName = HeaderName::from_static("goblins-reason");

/// Why a request was not answered by a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request is malformed or not for a proxy.
    BadRequest(&'static str),
    /// It claims to come from a proxy of this cluster and does not.
    BadHop,
    /// No domain of the cluster has this hostname.
    NoSuchHost(String),
    /// The domain has no route for this path.
    NoSuchPath { host: String, path: String },
    /// The service has no replica that could answer.
    NoReadyReplica { service: String },
    /// The replica that another proxy asked for is not here any more.
    NotHere,
    /// The replica that another proxy asked for closed the connection before it answered; another may be tried.
    ClosedHere,
    /// No replica took the connection.
    Connect {
        service: String,
        tried: usize,
        last: String,
    },
    /// The replica closed the connection before it answered.
    Closed { service: String },
    /// The replica did not answer in time.
    Timeout { service: String, seconds: u64 },
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::BadHop => StatusCode::FORBIDDEN,
            Self::NoSuchHost(_) | Self::NoSuchPath { .. } => StatusCode::NOT_FOUND,
            Self::NoReadyReplica { .. } | Self::NotHere | Self::Connect { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Closed { .. } | Self::ClosedHere => StatusCode::BAD_GATEWAY,
            Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::BadHop => "bad_hop",
            Self::NoSuchHost(_) => "no_such_host",
            Self::NoSuchPath { .. } => "no_such_path",
            Self::NoReadyReplica { .. } | Self::NotHere => "no_ready_replica",
            Self::Connect { .. } => "upstream_connect",
            Self::Closed { .. } | Self::ClosedHere => "upstream_closed",
            Self::Timeout { .. } => "upstream_timeout",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::BadRequest(what) => (*what).to_owned(),
            Self::BadHop => "Only the proxies of this cluster name a replica, and always do.".to_owned(),
            Self::NoSuchHost(host) => {
                format!("No domain {host:?} is known here. Create it with POST /api/domains/, and a route on it.")
            }
            Self::NoSuchPath { host, path } => {
                format!("The domain {host:?} has no enabled route for {path:?}. Create one with POST /api/routes/.")
            }
            Self::NoReadyReplica { service } => format!(
                "Service {service:?} has no replica that is ready. GET /api/services/ says why in status_reason."
            ),
            Self::NotHere => "The replica asked for takes no requests here any more.".to_owned(),
            Self::ClosedHere => "The replica asked for closed the connection before it answered.".to_owned(),
            Self::Connect { service, tried, last } => {
                format!("None of {tried} replicas of service {service:?} took the connection; the last: {last}.")
            }
            Self::Closed { service } => format!(
                "A replica of service {service:?} closed the connection before it answered. Its log may say why."
            ),
            Self::Timeout { service, seconds } => {
                format!("A replica of service {service:?} did not answer within {seconds} s.")
            }
        }
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let text = serde_json::json!({ "detail": self.detail(), "code": self.code() }).to_string();
        let mut response = Response::new(AnswerBody::text(Bytes::from(text)));
        *response.status_mut() = self.status();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
            .headers_mut()
            .insert(REASON, HeaderValue::from_static(self.code()));
        let given_back = match self {
            Self::NotHere => Some(Refused::Untouched),
            Self::ClosedHere => Some(Refused::Closed),
            _ => None,
        };
        if let Some(refused) = given_back {
            response.headers_mut().insert(REFUSED, refused.value());
        }
        response
    }
}
