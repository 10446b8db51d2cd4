//! An answer before it becomes bytes.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize as _;

use crate::output::Out;

/// An answer before it becomes bytes.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Headers beside Content-Type and Content-Length.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What it holds.
    pub content: Content,
}

/// What an answer holds.
#[derive(Debug)]
pub enum Content {
    /// Nothing, and so no type.
    Empty,
    /// JSON.
    Json(Out),
    /// Text of this media type.
    Text(&'static str, String),
    /// Bytes of this media type, for as long as they come.
    Stream(&'static str, Body),
    /// An answer that is complete, as that to a WebSocket.
    Whole(Box<Response<Body>>),
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
    fn new(status: StatusCode, content: Content) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content,
        }
    }

    /// With a body.
    #[must_use]
    pub fn json(status: StatusCode, body: Out) -> Self {
        Self::new(status, Content::Json(body))
    }

    /// 200 with text.
    #[must_use]
    pub fn text(media_type: &'static str, text: String) -> Self {
        Self::new(StatusCode::OK, Content::Text(media_type, text))
    }

    /// 200 with a body that is sent as it comes.
    #[must_use]
    pub fn stream(media_type: &'static str, body: Body) -> Self {
        Self::new(StatusCode::OK, Content::Stream(media_type, body))
    }

    /// One that was made elsewhere.
    #[must_use]
    pub fn whole(response: Response<Body>) -> Self {
        Self::new(response.status(), Content::Whole(Box::new(response)))
    }

    /// Without one.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, Content::Empty)
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

    /// Replaces a member of a JSON object, or adds it at the end.
    pub fn set(&mut self, name: &'static str, value: Out) {
        let Content::Json(Out::Object(members)) = &mut self.content else {
            return;
        };
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => members.push((name.into(), value)),
        }
    }

    /// As bytes. A HEAD answer names the length that the body would have had.
    #[must_use]
    pub fn into_response(self, style: Style) -> Response<Body> {
        let (media_type, bytes, stream) = match self.content {
            Content::Empty => (None, Vec::new(), None),
            Content::Json(body) => (Some("application/json"), write(&body, style.indent), None),
            Content::Text(media_type, text) => (Some(media_type), text.into_bytes(), None),
            Content::Stream(media_type, body) => (Some(media_type), Vec::new(), Some(body)),
            Content::Whole(response) => return *response,
        };
        let length = stream.is_none().then_some(bytes.len());
        let mut response = Response::new(match stream {
            _ if style.without_body => Body::empty(),
            Some(stream) => stream,
            None => Body::from(bytes),
        });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(media_type) = media_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if let Some(length) = length.filter(|_| self.status != StatusCode::NO_CONTENT) {
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
