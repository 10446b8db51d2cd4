//! Addresses that refused connections are left alone for a while.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Ejected {
    until: Instant,
    span: Duration,
}

/// By address: all replicas behind one remote proxy share theirs.
#[derive(Debug, Default)]
pub(crate) struct Ejections(Mutex<HashMap<SocketAddr, Ejected>>);

impl Ejections {
    /// Leaves an address alone for a second, then twice as long each time it fails again. When the span is over, the
    /// next request tries it.
    pub(crate) fn eject(&self, addr: SocketAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let span = match all.get(&addr) {
            // Requests that were on their way when it was ejected fail once, not once more each.
            Some(it) if it.until > now => return,
            Some(it) => (it.span * 2).min(LONGEST),
            None => FIRST,
        };
        tracing::warn!(%addr, ?span, "does not take connections; it is left alone for a while");
        all.insert(
            addr,
            Ejected {
                until: now + span,
                span,
            },
        );
    }

    pub(crate) fn readmit(&self, addr: SocketAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.remove(&addr).is_some() {
            tracing::info!(%addr, "takes connections again");
        }
    }

    pub(crate) fn is_ejected(&self, addr: SocketAddr) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&addr).is_some_and(|it| it.until > Instant::now())
    }
}
