//! Reading a request's head once: what it is for, and what of it is passed on.

use std::net::SocketAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Uri};

use crate::answer::Refusal;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Headers that concern one connection only (RFC 9110, 7.6.1).
const PER_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) addr: SocketAddr,
    /// Over TLS.
    pub(crate) secure: bool,
    /// It is the proxy of another node of the cluster.
    pub(crate) is_peer: bool,
}

/// A request's head as it is passed on, and what it is routed by.
pub(crate) struct Head {
    pub(crate) method: Method,
    /// Lower-case, without port.
    pub(crate) host: String,
    /// Normalised.
    pub(crate) path: String,
    uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) upgrade: bool,
}

impl Head {
    pub(crate) fn read(parts: Parts) -> Result<Self, Refusal> {
        if parts.method == Method::CONNECT {
            return Err(Refusal::BadRequest("CONNECT is not served here."));
        }
        let host = host(&parts)?;
        let path = normalise(parts.uri.path()).ok_or(Refusal::BadRequest("The path leads above its root."))?;
        let path_and_query = match parts.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        };
        let path_and_query: PathAndQuery = path_and_query
            .parse()
            .map_err(|_| Refusal::BadRequest("The path cannot be read."))?;
        let mut headers = parts.headers;
        if headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH) {
            return Err(Refusal::BadRequest(
                "Transfer-Encoding and Content-Length contradict each other.",
            ));
        }
        let upgrade = keep_upgrade(&mut headers);
        Ok(Self {
            method: parts.method,
            host,
            path,
            uri: Uri::from(path_and_query),
            headers,
            upgrade,
        })
    }

    /// Notes for the replica who asked; what the client claims of that is replaced.
    pub(crate) fn note_client(&mut self, client: Client) {
        if let Ok(ip) = HeaderValue::from_str(&client.addr.ip().to_canonical().to_string()) {
            self.headers.insert(FOR, ip);
        }
        if let Some(host) = self.headers.get(header::HOST).cloned() {
            self.headers.insert(HOST, host);
        }
        let proto = if client.secure { "https" } else { "http" };
        self.headers.insert(PROTO, HeaderValue::from_static(proto));
    }

    /// Whether doing it twice is as good as doing it once (RFC 9110, 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        )
    }

    /// The request for one attempt.
    pub(crate) fn request<B>(&self, body: B) -> http::Request<B> {
        let mut request = http::Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

/// Takes off what concerns one connection only. True if the connection is to change its protocol, which both sides of
/// us have to be told.
pub(crate) fn keep_upgrade(headers: &mut HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).cloned();
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let wanted = listed.contains(&header::UPGRADE);
    // Naming Host or Content-Length as per-connection is an attempt to confuse the other side.
    let ours = [header::HOST, header::CONTENT_LENGTH];
    for name in listed.iter().filter(|name| !ours.contains(name)).chain(&PER_CONNECTION) {
        headers.remove(name);
    }
    match upgrade.filter(|_| wanted) {
        Some(protocol) => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol);
            true
        }
        None => false,
    }
}

fn host(parts: &Parts) -> Result<String, Refusal> {
    let mut given = parts.headers.get_all(header::HOST).iter();
    let header = given.next();
    if given.next().is_some() {
        return Err(Refusal::BadRequest("There is more than one Host header."));
    }
    let authority = match (parts.uri.authority(), header) {
        (Some(authority), _) => authority.clone(),
        (None, Some(value)) => Authority::try_from(value.as_bytes())
            .map_err(|_| Refusal::BadRequest("The Host header is not a host name with an optional port."))?,
        (None, None) => return Err(Refusal::BadRequest("There is no Host header.")),
    };
    Ok(authority.host().trim_end_matches('.').to_ascii_lowercase())
}

/// Resolves dot segments and the needless escapes that could hide them (RFC 3986, 6.2.2), once, for matching and for
/// passing on. `None` if the path leads above its root.
fn normalise(path: &str) -> Option<String> {
    let path = unescape(path);
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop()?;
                }
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    Some(format!("/{}", kept.join("/")))
}

/// Decodes escapes of characters that need none (RFC 3986, 2.3).
fn unescape(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        let plain = escape
            .get(1..3)
            .and_then(|it| u8::from_str_radix(it, 16).ok())
            .map(char::from);
        match plain.filter(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_' | '~')) {
            Some(plain) => {
                text.push(plain);
                rest = &escape[3..];
            }
            None => {
                text.push('%');
                rest = &escape[1..];
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_once() {
        let cases = [
            ("/", Some("/")),
            ("/a/b", Some("/a/b")),
            ("/a/./b/../c", Some("/a/c")),
            ("/a/%2e%2E/b", Some("/b")),
            ("/a/..", Some("/")),
            ("/a/b/.", Some("/a/b/")),
            ("/%61%2Fb", Some("/a%2Fb")),
            ("//a", Some("//a")),
            ("/%", Some("/%")),
            ("/%zz", Some("/%zz")),
            ("/%\u{e9}", Some("/%\u{e9}")),
            ("/..", None),
            ("/a/../../b", None),
            ("*", None),
        ];
        for (path, expected) in cases {
            assert_eq!(normalise(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_concerns_one_connection_is_taken_off() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret, host"),
            ("x-secret", "1"),
            ("host", "a"),
            ("te", "trailers"),
            ("x", "1"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        assert!(!keep_upgrade(&mut headers));
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["host", "x"]);
    }
}
