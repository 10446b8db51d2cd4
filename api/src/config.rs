//! Settings of the API.

use std::time::Duration;

/// How many operations an account has in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimit {
    /// As many as it likes.
    #[default]
    Off,
    /// This many creates, updates and deletes. Kept for the setting's sake: nothing enforces it yet, and
    /// [`crate::router`] says so in the log when it is set.
    PerHour(u32),
}

/// Settings of the API.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Operations an hour and account.
    pub rate_limit: RateLimit,
    /// Bytes of a request body beyond which it is refused with 413.
    pub body_limit: usize,
    /// How long a request may take, reading its body included, before it is answered with 503.
    pub deadline: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            rate_limit: RateLimit::Off,
            body_limit: 2 * 1024 * 1024,
            deadline: Duration::from_secs(10),
        }
    }
}
