//! Settings of the API.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How much of something an account has in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimit {
    /// As many as it likes.
    #[default]
    Off,
    /// This many, on all nodes together.
    PerHour(u32),
}

/// Settings of the API.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Creates, updates and deletes an hour and account.
    pub rate_limit: RateLimit,
    /// Values of secrets read an hour and account.
    pub secret_limit: RateLimit,
    /// Whether clients reach this through TLS, so that cookies must not travel without it.
    pub secure_cookies: bool,
    /// Cancelled when the node stops: streams end then.
    pub stop: CancellationToken,
    /// Bytes of a request body beyond which it is refused with 413.
    pub body_limit: usize,
    /// How long a request may take, reading its body included, before it is answered with 503.
    pub deadline: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            rate_limit: RateLimit::Off,
            secret_limit: RateLimit::Off,
            secure_cookies: false,
            stop: CancellationToken::new(),
            body_limit: 2 * 1024 * 1024,
            deadline: Duration::from_secs(10),
        }
    }
}
