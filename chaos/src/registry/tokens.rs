//! A token service as public registries have one: a registry that trusts it sends clients here, and takes what they bring
//! back (`Bearer`; <https://distribution.github.io/distribution/spec/auth/token/>).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::Registry;

/// What service and registry call each other.
pub(super) const NAME: &str = "tokens-of-the-lab";
/// Seconds that a token is good for.
const LIFE: u64 = 60;

/// It runs until it is dropped.
pub struct TokenService {
    address: SocketAddr,
    signer: Arc<Signer>,
    _serving: AbortOnDropHandle<io::Result<()>>,
}

struct Signer {
    key: EcdsaKeyPair,
    /// Base64 of its DER, which goes into each token.
    certificate: String,
    given: AtomicU64,
    refused: AtomicU64,
}

impl TokenService {
    /// Listens on a free port of this address.
    pub(super) async fn start(on: Ipv4Addr) -> io::Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
        let pkcs8 = signing_key.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new());
        let signer = Arc::new(Signer {
            key: key.map_err(|it| io::Error::other(it.to_string()))?,
            certificate: STANDARD.encode(cert.der()),
            given: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let listener = tokio::net::TcpListener::bind((on, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/token", get(token))
            .with_state(Arc::clone(&signer));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            address,
            signer,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// What the registry's configuration says of it.
    pub(super) fn configuration(&self, certificate: &std::path::Path) -> String {
        format!(
            "auth: {{token: {{realm: \"http://{}/token\", service: {NAME}, issuer: {NAME}, rootcertbundle: {}}}}}\n",
            self.address,
            certificate.display()
        )
    }

    /// By what the registry knows the tokens.
    pub(super) fn certificate(&self) -> String {
        let der = &self.signer.certificate;
        format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n")
    }

    /// How many tokens were given, and how often somebody was sent away.
    pub fn count(&self) -> (u64, u64) {
        let Signer { given, refused, .. } = &*self.signer;
        (given.load(Ordering::Relaxed), refused.load(Ordering::Relaxed))
    }
}

async fn token(
    State(signer): State<Arc<Signer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], String), StatusCode> {
    let query = query.unwrap_or_default();
    let wanted = |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    let pair = STANDARD.encode(format!("{}:{}", Registry::USER, Registry::PASSWORD));
    let shown = headers.get(header::AUTHORIZATION).map(|it| it.as_bytes());
    if shown != Some(format!("Basic {pair}").as_bytes()) || wanted("service").is_none_or(|(_, it)| it != NAME) {
        signer.refused.fetch_add(1, Ordering::Relaxed);
        return Err(StatusCode::UNAUTHORIZED);
    }
    let token = wanted("scope").and_then(|(_, scope)| signer.sign(&scope));
    let token = token.ok_or(StatusCode::BAD_REQUEST)?;
    signer.given.fetch_add(1, Ordering::Relaxed);
    let body = json!({"token": token, "expires_in": LIFE}).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

impl Signer {
    /// A JSON web token (RFC 7519) for a scope such as `repository:team/app:pull`.
    fn sign(&self, scope: &str) -> Option<String> {
        let mut parts = scope.split(':');
        let (Some(kind), Some(name), Some(actions), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let head = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": NAME, "aud": NAME, "sub": Registry::USER, "jti": uuid::Uuid::new_v4().to_string(),
            "iat": now, "nbf": now.saturating_sub(5), "exp": now + LIFE,
            "access": [{"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}],
        });
        let encode = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
        let signed = format!("{}.{}", encode(&head), encode(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
