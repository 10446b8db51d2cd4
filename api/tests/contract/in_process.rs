//! The router in this process over the control plane in memory.

use std::sync::Arc;
use std::time::Duration;

use api::ApiConfig;
use async_trait::async_trait;
use axum::body::Body;
use http_body_util::BodyExt as _;
use model::{
    Account, AccountId, Actor, ApiKey, ApiKeyId, Capacity, ClusterId, Command, NodeDraft, Project, ProjectId, Revision,
    Scope, Timestamp,
};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::fake::FakeControlPlane;
use crate::target::{Got, Keys, Sent, Target};

pub struct InProcess {
    pub control: Arc<FakeControlPlane>,
    pub router: axum::Router,
    keys: Keys,
}

fn hash(key: &str) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, key.as_bytes())
        .as_ref()
        .try_into()
        .expect("32 bytes")
}

impl InProcess {
    /// A cluster of two nodes with an admin and another account.
    pub fn new() -> Self {
        Self::with_deadline(Duration::from_secs(30))
    }

    pub fn with_deadline(deadline: Duration) -> Self {
        let control = Arc::new(FakeControlPlane::new());
        let keys = Keys {
            full: "gob_full".into(),
            read_only: "gob_read".into(),
            other: "gob_other".into(),
        };
        let bootstrap = Command::Bootstrap {
            cluster: ClusterId(Uuid::now_v7()),
            admin: "admin".into(),
            key_hash: hash(&keys.full),
        };
        control.apply(Actor::System, bootstrap).expect("a bootstrap");
        let state = api::ControlPlane::local(&*control);
        let admin = state.accounts().next().expect("an account").clone();
        control.put(key("reader", &keys.read_only, admin.id, Scope::ReadOnly));

        let other = AccountId(Uuid::now_v7());
        let (project, at) = (ProjectId(Uuid::now_v7()), admin.created_at);
        control.put(Account {
            id: other,
            name: "other".into(),
            is_admin: false,
            default_project: project,
            created_at: at,
        });
        control.put(Project {
            id: project,
            account: other,
            name: "Default".into(),
            created_at: at,
            updated_at: at,
            revision: Revision(1),
        });
        control.put(key("other", &keys.other, other, Scope::Full));
        control.apply(Actor::System, join("one", 1, None)).expect("a node");

        let config = ApiConfig {
            deadline,
            ..ApiConfig::default()
        };
        Self {
            router: api::router(control.clone(), config),
            control,
            keys,
        }
    }
}

fn key(name: &str, key: &str, account: AccountId, scope: Scope) -> ApiKey {
    ApiKey {
        id: ApiKeyId(Uuid::now_v7()),
        account,
        name: name.into(),
        hash: hash(key),
        scope,
        created_at: Timestamp(0),
        expires_at: None,
        revision: Revision(1),
    }
}

pub fn join(name: &str, n: u16, token_hash: Option<[u8; 32]>) -> Command {
    let addr = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port + n));
    Command::JoinNode {
        token_hash,
        draft: NodeDraft {
            name: name.into(),
            peer_addr: addr(7100),
            api_addr: addr(7200),
            http_addr: addr(7300),
            runs_agent: true,
            version: "0.1.0".into(),
            boot: Uuid::now_v7(),
            capacity: Capacity {
                cpu: model::Millicores(4000),
                memory: model::ByteCount(1 << 33),
                replicas: 100,
            },
        },
    }
}

#[async_trait]
impl Target for InProcess {
    async fn send(&self, sent: Sent) -> Got {
        let mut request = http::Request::builder().method(sent.method.as_str()).uri(&sent.target);
        request = request.header("host", self.host());
        for (name, value) in &sent.headers {
            request = request.header(name, value.as_slice());
        }
        let request = request.body(Body::from(sent.body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Got {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn host(&self) -> &str {
        "api.example.com:7202"
    }
}
