//! `goblins token`

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::client::Client;

/// Prints the token alone, so that a script can take it as it is.
pub(crate) async fn create(client: &Client, ttl: Duration, uses: u32) -> Result<()> {
    let answer = client
        .post(
            "/api/join-tokens/",
            &json!({ "ttl_seconds": ttl.as_secs(), "uses": uses }),
        )
        .await?;
    println!("{}", answer["token"].as_str().context("the answer holds no token")?);
    Ok(())
}
