//! Peers try again and again; what keeps them from connecting is told of now and then.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two complaints.
const INTERVAL: Duration = Duration::from_secs(10);

/// When there was the last complaint.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<Option<Instant>>);

impl Complaints {
    /// Whether it is time for another one; from then on it is not for a while.
    pub(super) fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|it| it.elapsed() > INTERVAL);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}
