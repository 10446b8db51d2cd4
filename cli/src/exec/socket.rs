//! A WebSocket (RFC 6455) to the API.

use anyhow::{Result, bail};
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{StatusCode, Upgraded};
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::refused;
use crate::client::{Client, detail};

pub(super) async fn open(client: &Client, path: &str) -> Result<WebSocketStream<Upgraded>> {
    let key = generate_key();
    let headers = [
        (CONNECTION, "Upgrade"),
        (UPGRADE, "websocket"),
        (SEC_WEBSOCKET_VERSION, "13"),
        (SEC_WEBSOCKET_KEY, key.as_str()),
    ];
    let answer = client.upgrade(path, &headers).await?;
    let status = answer.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let text = answer.text().await.unwrap_or_default();
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        return Err(refused(&detail(&text), &said));
    }
    let accepted = answer
        .headers()
        .get(SEC_WEBSOCKET_ACCEPT)
        .and_then(|it| it.to_str().ok());
    if accepted != Some(derive_accept_key(key.as_bytes()).as_str()) {
        bail!("what answers at {path} speaks no WebSocket");
    }
    Ok(WebSocketStream::from_raw_socket(answer.upgrade().await?, Role::Client, None).await)
}
