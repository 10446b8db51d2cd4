//! Whatever listens on an address, one connection a request.

use async_trait::async_trait;
use tokio::net::TcpListener;

use crate::in_process::InProcess;
use crate::target::{Got, Keys, Sent, Target};
use crate::wire::exchange;

pub struct OverHttp {
    host: String,
    keys: Keys,
}

impl OverHttp {
    /// The router of `target` behind a socket on loopback, for as long as the test's runtime lives.
    pub async fn of(target: &InProcess) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let host = listener.local_addr().expect("an address").to_string();
        let router = target.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            host,
            keys: target.keys().clone(),
        }
    }
}

#[async_trait]
impl Target for OverHttp {
    async fn send(&self, sent: Sent) -> Got {
        exchange(&self.host, &self.host, &sent).await.expect("an answer")
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn host(&self) -> &str {
        &self.host
    }
}
