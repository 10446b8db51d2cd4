//! Requests in flight, by replica. What makes it safe to stop one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::ReplicaId;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

/// The requests in flight of one replica.
#[derive(Debug, Default)]
struct Gauge {
    in_flight: AtomicUsize,
    /// Those of them that have become tunnels.
    tunnels: AtomicUsize,
    draining: AtomicBool,
    landed: Notify,
}

/// The requests in flight of all replicas that this proxy sends to.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<ReplicaId, Arc<Gauge>>>);

impl Gauge {
    async fn wait(&self, landed: impl Fn(&Self) -> bool) {
        loop {
            let news = self.landed.notified();
            if landed(self) {
                break;
            }
            news.await;
        }
    }

    fn tunnels_only(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) <= self.tunnels.load(Ordering::SeqCst)
    }
}

/// One request in flight. It has landed when this is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    gauge: Arc<Gauge>,
    is_tunnel: bool,
}

impl Flight {
    /// Its connection has changed its protocol: it may stay for long.
    pub(crate) fn into_tunnel(mut self) -> Self {
        if !std::mem::replace(&mut self.is_tunnel, true) {
            self.gauge.tunnels.fetch_add(1, Ordering::SeqCst);
            self.gauge.landed.notify_waiters();
        }
        self
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // In this order, so that no request is taken for the tunnel that is just ending.
        if self.is_tunnel {
            self.gauge.tunnels.fetch_sub(1, Ordering::SeqCst);
        }
        self.gauge.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.gauge.landed.notify_waiters();
    }
}

impl Flights {
    /// Begins a request; `None` if the replica is being drained.
    pub(crate) fn begin(&self, replica: ReplicaId) -> Option<Flight> {
        let gauge = self.gauge(replica);
        // Counted before looking, so that a drain that begins right now waits for this one or turns it away.
        gauge.in_flight.fetch_add(1, Ordering::SeqCst);
        let is_tunnel = false;
        let flight = Flight { gauge, is_tunnel };
        (!flight.gauge.draining.load(Ordering::SeqCst)).then_some(flight)
    }

    pub(crate) fn count(&self, replica: ReplicaId) -> usize {
        let gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.get(&replica).map_or(0, |it| it.in_flight.load(Ordering::SeqCst))
    }

    /// Turns new requests away, and waits at most `limit` for those in flight and at most `tunnels` for those that have
    /// become tunnels.
    pub(crate) async fn drain(&self, replica: ReplicaId, limit: Duration, tunnels: Duration) -> bool {
        let gauge = self.gauge(replica);
        gauge.draining.store(true, Ordering::SeqCst);
        let began = Instant::now();
        let landed = timeout(limit, gauge.wait(Gauge::tunnels_only)).await.is_ok();
        let no_tunnel = |it: &Gauge| it.tunnels.load(Ordering::SeqCst) == 0;
        let closed = timeout_at(began + tunnels, gauge.wait(no_tunnel)).await.is_ok();
        landed && closed
    }

    /// The replica may be sent to again.
    pub(crate) fn resume(&self, replica: ReplicaId) {
        let gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gauge) = gauges.get(&replica) {
            gauge.draining.store(false, Ordering::SeqCst);
        }
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

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_drain_waits_for_what_is_in_flight_and_turns_away_what_comes() {
        let flights = Arc::new(Flights::default());
        let flight = flights.begin(REPLICA).expect("nobody drains");
        assert!(!flights.drain(REPLICA, Duration::ZERO, LONG).await, "one is in flight");
        assert!(flights.begin(REPLICA).is_none());
        let waiting = tokio::spawn({
            let flights = Arc::clone(&flights);
            async move { flights.drain(REPLICA, LONG, LONG).await }
        });
        drop(flight);
        assert!(waiting.await.expect("ends"));
        assert!(flights.begin(REPLICA).is_none());
        flights.resume(REPLICA);
        assert!(flights.begin(REPLICA).is_some(), "started again");
    }

    #[tokio::test]
    async fn tunnels_are_given_longer_than_requests_and_not_for_ever() {
        let flights = Arc::new(Flights::default());
        let (short, longer) = (Duration::from_millis(20), Duration::from_millis(200));
        let tunnel = flights.begin(REPLICA).expect("nobody drains").into_tunnel();
        let request = flights.begin(REPLICA).expect("nobody drains");
        let began = Instant::now();
        assert!(!flights.drain(REPLICA, short, longer).await, "both have outstayed");
        assert!(began.elapsed() >= longer, "the tunnel's limit, not the request's");
        drop(request);
        let draining = flights.drain(REPLICA, short, LONG);
        tokio::pin!(draining);
        let waiting = timeout(longer, draining.as_mut()).await;
        assert!(waiting.is_err(), "the tunnel is waited for");
        drop(tunnel);
        assert!(draining.await, "no longer than it takes");
    }
}
