//! What the cases need of whatever answers them: a router in this process, or a real cluster over HTTP.

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// A request, byte for byte.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    pub method: String,
    /// Path and query as they go over the wire.
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// An answer, byte for byte.
#[derive(Clone, Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Keys that exist before a case begins.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Of an admin.
    pub full: String,
    /// Of the same account, for reading only.
    pub read_only: String,
    /// Of another account that is no admin.
    pub other: String,
}

/// Whatever answers requests.
#[async_trait]
pub trait Target: Send + Sync {
    async fn send(&self, sent: Sent) -> Got;
    fn keys(&self) -> &Keys;
    /// What the Host header says.
    fn host(&self) -> &str;
}

impl Got {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// This status; answers the JSON.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// This status and exactly this JSON.
    #[track_caller]
    pub fn is(&self, status: u16, body: Value) {
        assert_eq!((self.status.as_u16(), &self.json()), (status, &body));
        assert_eq!(self.header("content-type"), Some("application/json"));
    }

    /// This status and exactly `{"detail": text}`.
    #[track_caller]
    pub fn detail(&self, status: u16, text: &str) {
        self.is(status, serde_json::json!({"detail": text}));
    }
}

/// A client with the full key, and names that no other case uses.
pub struct Api<'a> {
    pub target: &'a dyn Target,
    count: std::sync::atomic::AtomicU32,
    tag: u32,
}

impl<'a> Api<'a> {
    pub fn new(target: &'a dyn Target) -> Self {
        static TAGS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let tag = TAGS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) ^ (std::process::id() << 8);
        Self {
            target,
            count: 0.into(),
            tag,
        }
    }

    /// A fresh name, short enough for a service.
    pub fn name(&self) -> String {
        let n = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("n{:x}-{n}", self.tag)
    }

    /// As it is, without key and type.
    pub async fn raw(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Got {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        self.target
            .send(Sent {
                method: method.into(),
                target: target.into(),
                headers,
                body: body.to_vec(),
            })
            .await
    }

    /// With the full key; with a type where there is a body.
    pub async fn call(&self, method: &str, target: &str, body: &str) -> Got {
        self.call_as(&self.target.keys().full, method, target, body).await
    }

    /// With this key.
    pub async fn call_as(&self, key: &str, method: &str, target: &str, body: &str) -> Got {
        let key = format!("Bearer {key}");
        let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
        let headers = if body.is_empty() { &headers[..1] } else { &headers };
        self.raw(method, target, headers, body.as_bytes()).await
    }

    pub async fn get(&self, target: &str) -> Got {
        self.call("GET", target, "").await
    }

    pub async fn post(&self, target: &str, body: &str) -> Got {
        self.call("POST", target, body).await
    }

    pub async fn patch(&self, target: &str, body: &str) -> Got {
        self.call("PATCH", target, body).await
    }

    pub async fn delete(&self, target: &str) -> Got {
        self.call("DELETE", target, "").await
    }

    /// A new service.
    pub async fn service(&self) -> Value {
        let name = self.name();
        self.post(
            "/api/services/",
            &format!(r#"{{"name":"{name}","image":"nginx:1.25","port":80}}"#),
        )
        .await
        .ok(201)
    }

    /// A new worker.
    pub async fn worker(&self) -> Value {
        let body = serde_json::json!({"name": self.name(), "image": "nginx:1.25"});
        self.post("/api/workers/", &body.to_string()).await.ok(201)
    }

    /// A new config or secret: `kind` is `configs` or `secrets`.
    pub async fn set(&self, kind: &str) -> Value {
        let body = serde_json::json!({"name": self.name()});
        self.post(&format!("/api/{kind}/"), &body.to_string()).await.ok(201)
    }

    /// A new item of one of them.
    pub async fn item(&self, kind: &str, set: &Value, key: &str, value: &str) -> Value {
        let body = serde_json::json!({"key": key, "value": value});
        let items = format!("/api/{kind}/{}/items/", id(set));
        self.post(&items, &body.to_string()).await.ok(201)
    }

    /// A new domain.
    pub async fn domain(&self) -> Value {
        let name = self.name();
        self.post("/api/domains/", &format!(r#"{{"hostname":"{name}.example.com"}}"#))
            .await
            .ok(201)
    }

    /// A new project.
    pub async fn project(&self) -> Value {
        let name = self.name();
        self.post("/api/projects/", &format!(r#"{{"name":"{name}"}}"#))
            .await
            .ok(201)
    }

    /// A new route, with a domain and a service of its own.
    pub async fn route(&self) -> Value {
        let (domain, service) = (self.domain().await, self.service().await);
        let body = serde_json::json!({"path": "/", "domain": domain["id"], "service": service["id"]});
        self.post("/api/routes/", &body.to_string()).await.ok(201)
    }
}

/// The id of an object.
#[track_caller]
pub fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id")
}

/// The text begins with these keys in this order.
#[track_caller]
pub fn keys_in_order(text: &str, keys: &[&str]) {
    let mut at = 0;
    for key in keys {
        let quoted = format!("\"{key}\":");
        match text[at..].find(&quoted) {
            Some(found) => at += found + quoted.len(),
            None => panic!("{key} is not where it belongs: {text}"),
        }
    }
}

/// The same object, changed later.
#[track_caller]
pub fn moved_on(before: &Value, after: &Value) {
    assert_eq!(
        (&before["id"], &before["created_at"]),
        (&after["id"], &after["created_at"])
    );
    assert!(
        before["updated_at"].as_str() < after["updated_at"].as_str(),
        "{before} {after}"
    );
}
