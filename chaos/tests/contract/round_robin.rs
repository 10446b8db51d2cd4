//! A client that asks another node each time, and repeats what a careful client may repeat.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chaos::Cluster;
use chaos::cluster::API_PORT;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::target::{Got, Keys, Sent, Target};
use crate::wire::exchange;

/// What the client calls the cluster, whichever node it asks.
const HOST: &str = "api.example.test:7400";
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// The nodes, and whose turn it is.
#[derive(Clone)]
pub struct Nodes {
    addresses: Arc<Vec<String>>,
    turn: Arc<AtomicUsize>,
    admin: String,
    /// Whether a client has to expect that nodes die.
    repeats: bool,
}

impl Nodes {
    pub fn of(cluster: &Cluster, repeats: bool) -> Self {
        let urls = cluster
            .hosts()
            .into_iter()
            .map(|host| cluster.url(host, API_PORT).expect("a url"));
        Self {
            addresses: Arc::new(urls.map(|url| url.trim_start_matches("http://").to_owned()).collect()),
            turn: Arc::default(),
            admin: cluster.key().to_owned(),
            repeats,
        }
    }

    async fn once(&self, sent: &Sent) -> io::Result<Got> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        exchange(&self.addresses[turn % self.addresses.len()], HOST, sent).await
    }

    /// Repeats until there is an answer that is not 503: what changes something under an idempotency key.
    async fn send(&self, mut sent: Sent) -> Got {
        if !self.repeats {
            return self.once(&sent).await.expect("an answer");
        }
        let has_key = sent
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
        if sent.method != "GET" && !has_key {
            let key = uuid::Uuid::now_v7().to_string();
            sent.headers.push(("idempotency-key".to_owned(), key.into_bytes()));
        }
        let end = Instant::now() + PATIENCE;
        let mut attempt = 2;
        loop {
            let answer = self.once(&sent).await;
            let late = Instant::now() > end;
            let told = match answer {
                Ok(got) if got.status != 503 || late => return got,
                Ok(got) => got.text(),
                Err(error) => {
                    assert!(!late, "no node answered within {PATIENCE:?}: {error}");
                    error.to_string()
                }
            };
            // Shown only where a case fails: what was repeated is the first thing to look at.
            eprintln!("again, attempt {attempt}: {} {}: {told}", sent.method, sent.target);
            attempt += 1;
            sleep(PAUSE).await;
        }
    }

    /// As the first admin; the object made.
    async fn make(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        let key = format!("Bearer {}", self.admin).into_bytes();
        let headers = vec![
            ("authorization".to_owned(), key),
            ("content-type".to_owned(), b"application/json".to_vec()),
        ];
        let sent = Sent {
            method: "POST".to_owned(),
            target: path.to_owned(),
            headers,
            body: body.to_string().into_bytes(),
        };
        let got = self.send(sent).await;
        assert_eq!(got.status, 201, "POST {path} {body}: {}", got.text());
        got.json()
    }
}

/// The nodes as one case sees them: with accounts that no other case uses.
pub struct RoundRobin {
    nodes: Nodes,
    keys: Keys,
}

impl RoundRobin {
    pub async fn for_a_case(nodes: &Nodes, case: &str) -> Self {
        let account = async |name: String, is_admin: bool| {
            let made = nodes
                .make("/api/users/", json!({"username": name, "is_admin": is_admin}))
                .await;
            made["id"].clone()
        };
        let key = async |account: &serde_json::Value, scope: &str| {
            let body = json!({"name": "contract", "scope": scope, "account": account});
            let made = nodes.make("/api/api-keys/", body).await;
            made["key"].as_str().expect("a key").to_owned()
        };
        let (own, other) = (
            account(case.to_owned(), true).await,
            account(format!("{case}-other"), false).await,
        );
        let keys = Keys {
            full: key(&own, "full").await,
            read_only: key(&own, "read_only").await,
            other: key(&other, "full").await,
        };
        Self {
            nodes: nodes.clone(),
            keys,
        }
    }
}

#[async_trait]
impl Target for RoundRobin {
    async fn send(&self, sent: Sent) -> Got {
        self.nodes.send(sent).await
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn host(&self) -> &str {
        HOST
    }
}
