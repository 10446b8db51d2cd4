//! An answer before it becomes bytes.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize as _;

use crate::output::Out;

/// An answer before it becomes bytes.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Headers beside Content-Type and Content-Length.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its JSON; `None` is an empty body without a type.
    pub body: Option<Out>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Spaces for each level; `None` is compact.
    pub indent: Option<usize>,
    /// Headers only, as for HEAD.
    pub without_body: bool,
}

impl Answer {
    /// With a body.
    #[must_use]
    pub fn json(status: StatusCode, body: Out) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(body),
        }
    }

    /// Without one.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    /// `{"detail": text}`
    #[must_use]
    pub fn detail(status: StatusCode, text: impl Into<Out>) -> Self {
        Self::json(status, Out::object([("detail", text.into())]))
    }

    /// With one more header. A value that cannot be a header is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((name, value));
        }
        self
    }

    /// As bytes. A HEAD answer names the length that the body would have had.
    #[must_use]
    pub fn into_response(self, style: Style) -> Response<Body> {
        let bytes = self
            .body
            .as_ref()
            .map(|body| write(body, style.indent))
            .unwrap_or_default();
        let length = bytes.len();
        let typed = self.body.is_some();
        let mut response = Response::new(if style.without_body {
            Body::empty()
        } else {
            Body::from(bytes)
        });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if typed {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}

fn write(body: &Out, indent: Option<usize>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let result = match indent {
        None => body.serialize(&mut serde_json::Serializer::new(&mut bytes)),
        Some(width) => {
            let spaces = " ".repeat(width);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            body.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
        }
    };
    // Keys are strings and memory takes every byte: there is nothing that could fail.
    debug_assert!(result.is_ok(), "{result:?}");
    bytes
}
