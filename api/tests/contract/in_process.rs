//! The router in this process over the control plane in memory.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use api::ApiConfig;
use async_trait::async_trait;
use axum::body::Body;
use http_body_util::BodyExt as _;
use model::{
    AccountId, Actor, ApiKey, ApiKeyId, Authority, Capacity, ClusterId, Command, KeyVersion, NodeDraft, PasswordHash,
    Revision, Scope, Sealed, State, Timestamp,
};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::fake::{FakeControlPlane, FakeSealer};
use crate::target::{Got, Keys, Sent, Target};

/// Who can log in to the web interface, beside the keys.
pub const WEB_USER: &str = "web";
pub const WEB_PASSWORD: &str = "correct horse";

/// Made once: it takes a while, as it should.
static WEB_PASSWORD_HASH: LazyLock<PasswordHash> = LazyLock::new(|| {
    let salt = argon2::password_hash::SaltString::from_b64("c29tZSBzYWx0").expect("a salt");
    let hash = argon2::PasswordHasher::hash_password(&argon2::Argon2::default(), WEB_PASSWORD.as_bytes(), &salt);
    PasswordHash(hash.expect("a hash").to_string())
});

pub struct InProcess {
    pub control: Arc<FakeControlPlane>,
    pub sealer: Arc<FakeSealer>,
    pub router: axum::Router,
    keys: Keys,
    /// What the node has heard of when a request comes, where that is not everything.
    heard: Option<State>,
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
        Self::with_config(ApiConfig {
            deadline,
            ..ApiConfig::default()
        })
    }

    pub fn with_config(config: ApiConfig) -> Self {
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
            authority: Authority {
                certificate: b"a certificate".to_vec(),
                key: Sealed {
                    key: KeyVersion(1),
                    wrapped: Vec::new(),
                    value: Vec::new(),
                },
            },
        };
        control.apply(Actor::System, bootstrap).expect("a bootstrap");
        let state = api::ControlPlane::local(&*control);
        let admin = state.accounts().next().expect("an account").clone();
        control.put(key("reader", &keys.read_only, admin.id, Scope::ReadOnly));

        let create = |name: &str, password| Command::CreateAccount {
            name: name.into(),
            password,
            is_admin: false,
        };
        control.apply(Actor::System, create("other", None)).expect("an account");
        let password = Some(WEB_PASSWORD_HASH.clone());
        control
            .apply(Actor::System, create(WEB_USER, password))
            .expect("an account");
        let state = api::ControlPlane::local(&*control);
        let other = state.account_by_name("other").expect("the account").id;
        control.put(key("other", &keys.other, other, Scope::Full));
        control.apply(Actor::System, join("one", 1, None)).expect("a node");

        let sealer = Arc::new(FakeSealer::default());
        Self {
            router: api::router(control.clone(), sealer.clone(), config),
            control,
            sealer,
            keys,
            heard: None,
        }
    }

    /// Its node has heard of nothing that came after this call whenever a request comes.
    pub fn that_lags() -> Self {
        let it = Self::new();
        let heard = Some(api::ControlPlane::local(&*it.control));
        Self { heard, ..it }
    }
}

pub fn key(name: &str, key: &str, account: AccountId, scope: Scope) -> ApiKey {
    ApiKey {
        id: ApiKeyId(Uuid::now_v7()),
        account,
        name: name.into(),
        hash: hash(key),
        scope,
        created_at: Timestamp(0),
        expires_at: None,
        last_used_at: None,
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
            version: model::leveled_version("0.1.0"),
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
        if let Some(state) = &self.heard {
            self.control.fall_behind(state.clone());
        }
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
