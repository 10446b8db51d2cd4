//! Connections between nodes. The one place that knows how peers are reached, so the one that mutual TLS goes into.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use crate::proto::Route;
use model::{ClusterId, NodeId};

/// Larger than any message that is sent: entries carry whole requests of clients, which are limited far below.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// A peer in the same data centre answers a connection at once or not at all.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// How soon a connection whose other end has vanished is given up: one interval and one limit.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// What a connection is used for. Heartbeats must not wait behind a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Log entries and votes.
    Replication,
    /// Signs of life.
    Heartbeat,
    /// Whole states.
    Snapshot,
    /// What followers ask of the leader.
    Service,
}

/// A connection to one peer for one purpose, made when it is first used and made again after a reset.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    address: String,
    channel: Arc<Mutex<Option<Channel>>>,
}

impl Link {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            channel: Arc::default(),
        }
    }

    /// The connection. Must be called on the runtime that is to drive it.
    pub(crate) fn channel(&self) -> Result<Channel, tonic::Status> {
        let mut slot = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = &*slot {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).map_err(|error| {
            tonic::Status::invalid_argument(format!("`{}` is not a peer address: {error}", self.address))
        })?;
        let channel = endpoint
            .connect_timeout(CONNECT_LIMIT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .connect_lazy();
        *slot = Some(channel.clone());
        Ok(channel)
    }

    /// Drops a connection that does not answer; the next use makes another one.
    pub(crate) fn reset(&self) {
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// All connections of this node.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    cluster: ClusterId,
    node: NodeId,
    links: Arc<Mutex<HashMap<(u64, Purpose), Link>>>,
    /// Where the members listen, as far as this node knows. openraft keeps its clients when a member moves, so they look
    /// here each time.
    book: Arc<Mutex<HashMap<u64, String>>>,
}

impl Links {
    pub(crate) fn new(cluster: ClusterId, node: NodeId) -> Self {
        Self {
            cluster,
            node,
            links: Arc::default(),
            book: Arc::default(),
        }
    }

    /// Notes where a member listens.
    pub(crate) fn note(&self, target: u64, address: &str) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if book.get(&target).is_none_or(|it| it != address) {
            book.insert(target, address.to_owned());
        }
    }

    /// Where a member listens.
    pub(crate) fn address_of(&self, target: u64) -> Option<String> {
        self.book
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&target)
            .cloned()
    }

    /// The connection to a peer. A new address of the peer replaces its connections.
    pub(crate) fn to(&self, target: u64, address: &str, purpose: Purpose) -> Link {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let link = links.entry((target, purpose)).or_insert_with(|| Link::new(address));
        if link.address != address {
            *link = Link::new(address);
        }
        link.clone()
    }

    /// Who means whom, for a message to `target`.
    pub(crate) fn route(&self, target: u64) -> Route {
        let cluster = bytes::Bytes::copy_from_slice(self.cluster.0.as_bytes());
        Route {
            cluster,
            source: self.node.0,
            target,
        }
    }

    /// Refuses a message that is not meant for this node of this cluster.
    pub(crate) fn check(&self, route: Option<&Route>) -> Result<(), tonic::Status> {
        let Some(route) = route else {
            return Err(tonic::Status::invalid_argument(
                "the message does not say whom it means",
            ));
        };
        if *route.cluster != *self.cluster.0.as_bytes() {
            return Err(tonic::Status::failed_precondition(format!(
                "node {} of another cluster called: this is cluster {}",
                route.source, self.cluster
            )));
        }
        if route.target != self.node.0 {
            return Err(tonic::Status::failed_precondition(format!(
                "node {} looks for node {}, but this is node {}",
                route.source, route.target, self.node
            )));
        }
        Ok(())
    }
}

/// Whether a call failed before anything was sent, so that it cannot have had an effect.
pub(crate) fn never_sent(status: &tonic::Status) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What to tell of a failed call.
pub(crate) fn describe(status: &tonic::Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn messages_for_others_are_refused() {
        let links = |cluster, node| Links::new(ClusterId(Uuid::from_u128(cluster)), NodeId(node));
        let here = links(7, 2);
        assert!(here.check(Some(&links(7, 1).route(2))).is_ok());
        for (route, expected) in [
            (links(8, 1).route(2), "another cluster"),
            (links(7, 1).route(3), "looks for node 3"),
        ] {
            let refused = here.check(Some(&route)).map_err(|it| it.message().to_owned());
            assert!(refused.as_ref().is_err_and(|it| it.contains(expected)), "{refused:?}");
        }
        assert!(here.check(None).is_err());
    }
}
