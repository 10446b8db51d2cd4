//! What the fuzzers (`fuzzing`) do with requests of anybody.

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

use crate::head::Head;
use crate::hop;

/// Reads a request's head: `METHOD TARGET`, then lines of `NAME: VALUE`. What is passed on is normalised, and nothing of one
/// connection is in it.
pub fn head(data: &[u8]) {
    let mut lines = data.split(|it| *it == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (method, target) = first.split_once(' ').unwrap_or(("GET", &first));
    let Ok(uri) = target.parse::<Uri>() else { return };
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
    *request.uri_mut() = uri;
    for line in lines {
        let Some(at) = line.iter().position(|it| *it == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..at]);
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    let (parts, ()) = request.into_parts();
    let Ok(head) = Head::read(parts) else { return };
    assert!(head.path.starts_with('/'), "{}", head.path);
    assert!(!head.path.split('/').any(|it| it == ".." || it == "."), "{}", head.path);
    assert!(!head.host.bytes().any(|it| it.is_ascii_uppercase()), "{}", head.host);
    for name in ["te", "trailer", "transfer-encoding", "keep-alive", "proxy-connection"] {
        assert!(!head.headers.contains_key(name), "{name}");
    }
    assert_eq!(head.headers.contains_key(header::UPGRADE), head.upgrade);
    let mut passed_on = head.request(());
    // Once is enough: the next proxy would read the same.
    let again = Head::read(passed_on.into_parts().0);
    if let Ok(again) = again {
        assert_eq!(again.path, head.path);
    }
    passed_on = head.request(());
    let forged = hop::take(passed_on.headers_mut(), false);
    assert!(!passed_on.headers().contains_key(hop::REPLICA), "{forged:?}");
}
