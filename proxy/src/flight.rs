//! Requests in flight, by replica. What makes it safe to stop one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::ReplicaId;
use tokio::sync::Notify;

/// The requests in flight of one replica.
#[derive(Debug, Default)]
struct Gauge {
    in_flight: AtomicUsize,
    draining: AtomicBool,
    landed: Notify,
}

/// The requests in flight of all replicas that this proxy sends to.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<ReplicaId, Arc<Gauge>>>);

/// One request in flight. It has landed when this is dropped.
#[derive(Debug)]
pub(crate) struct Flight(Arc<Gauge>);

impl Drop for Flight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.landed.notify_waiters();
        }
    }
}

impl Flights {
    /// Begins a request; `None` if the replica is being drained.
    pub(crate) fn begin(&self, replica: ReplicaId) -> Option<Flight> {
        let gauge = self.gauge(replica);
        // Counted before looking, so that a drain that begins right now waits for this one or turns it away.
        gauge.in_flight.fetch_add(1, Ordering::SeqCst);
        let flight = Flight(gauge);
        (!flight.0.draining.load(Ordering::SeqCst)).then_some(flight)
    }

    pub(crate) fn count(&self, replica: ReplicaId) -> usize {
        let gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.get(&replica).map_or(0, |it| it.in_flight.load(Ordering::SeqCst))
    }

    pub(crate) async fn drain(&self, replica: ReplicaId, limit: Duration) -> bool {
        let gauge = self.gauge(replica);
        gauge.draining.store(true, Ordering::SeqCst);
        let all_landed = async {
            loop {
                let landed = gauge.landed.notified();
                if gauge.in_flight.load(Ordering::SeqCst) == 0 {
                    break;
                }
                landed.await;
            }
        };
        tokio::time::timeout(limit, all_landed).await.is_ok()
    }

    /// Drops what nobody uses. A gauge that was drained stays as long as the replica might still be asked for.
    pub(crate) fn forget_idle(&self) {
        let mut gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.retain(|_, it| {
            Arc::strong_count(it) > 1 || it.draining.load(Ordering::SeqCst) || it.in_flight.load(Ordering::SeqCst) > 0
        });
    }

    fn gauge(&self, replica: ReplicaId) -> Arc<Gauge> {
        let mut gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gauges.entry(replica).or_default())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const REPLICA: ReplicaId = ReplicaId(Uuid::from_u128(1));

    #[tokio::test]
    async fn a_drain_waits_for_what_is_in_flight_and_turns_away_what_comes() {
        let flights = Arc::new(Flights::default());
        let flight = flights.begin(REPLICA).expect("nobody drains");
        assert!(!flights.drain(REPLICA, Duration::ZERO).await, "one is in flight");
        assert!(flights.begin(REPLICA).is_none());
        let waiting = tokio::spawn({
            let flights = Arc::clone(&flights);
            async move { flights.drain(REPLICA, Duration::from_secs(60)).await }
        });
        drop(flight);
        assert!(waiting.await.expect("ends"));
    }
}
