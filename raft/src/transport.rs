//! Connections between nodes. The one place that knows how peers are reached and how they prove who they are.

mod complaints;
mod dial;
mod epoch;
mod incoming;

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

pub(crate) use self::complaints::Complaints;
pub(crate) use self::dial::Whom;
use self::epoch::Verdict;
pub(crate) use self::incoming::{PeerInfo, accept, queue};
use crate::gaps::Gaps;
use crate::ground::{self, Wires};
use crate::proto::Route;
use crate::server::Caller;
use crate::tls::Tls;
use model::{ClusterId, NodeId};

/// Larger than any message that is sent: entries carry whole requests of clients, which are limited far below.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Set in the answer to a node that was removed, so that it knows without reading texts.
const REMOVED: &str = "goblins-removed";
/// What a node ends with that was removed.
const LEFT: &str = "this node was removed from the cluster; to take part again, empty its data folder and join anew";

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
    /// What other rooms serve to each other.
    Others,
}

/// A connection to one peer for one purpose, made when it is first used and made again after a reset.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    address: String,
    whom: Whom,
    wires: Arc<dyn Wires>,
    channel: Arc<Mutex<Option<Channel>>>,
}

impl Link {
    pub(crate) fn new(address: &str, whom: Whom, wires: Arc<dyn Wires>) -> Self {
        Self {
            address: address.to_owned(),
            whom,
            wires,
            channel: Arc::default(),
        }
    }

    /// The connection. Must be called on the runtime that is to drive it.
    pub(crate) fn channel(&self) -> Result<Channel, Status> {
        let mut slot = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = &*slot {
            return Ok(channel.clone());
        }
        let channel = dial::channel(&self.address, self.whom.clone(), self.wires.clone())?;
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
    tls: Arc<Tls>,
    wires: Arc<dyn Wires>,
    /// How often the cluster was founded anew after its majority was lost; nodes of other epochs are not listened to.
    epoch: u64,
    complaints: Arc<Complaints>,
    /// Cancelled once this node has learnt that it is no longer a member.
    removed: CancellationToken,
    /// Of entries for peers.
    gaps: Gaps,
    /// The newest epoch that it has learnt of.
    newest: Arc<AtomicU64>,
    links: Arc<Mutex<HashMap<(u64, Purpose), Link>>>,
    /// Where the members listen, as far as this node knows. openraft keeps its clients when a member moves, so they look
    /// here each time.
    book: Arc<Mutex<HashMap<u64, String>>>,
}

impl Links {
    pub(crate) fn new(cluster: ClusterId, node: NodeId, tls: Arc<Tls>) -> Self {
        Self {
            cluster,
            node,
            tls,
            wires: ground::tcp(),
            epoch: 0,
            complaints: Arc::default(),
            removed: CancellationToken::new(),
            gaps: Gaps::default(),
            newest: Arc::default(),
            links: Arc::default(),
            book: Arc::default(),
        }
    }

    /// In this epoch of the cluster.
    pub(crate) fn in_epoch(self, epoch: u64) -> Self {
        Self { epoch, ..self }
    }

    /// What streams to peers have to end for.
    pub(crate) fn gaps(&self) -> Gaps {
        self.gaps.clone()
    }

    /// Over another network than this host's.
    pub(crate) fn over(self, wires: Arc<dyn Wires>) -> Self {
        Self { wires, ..self }
    }

    /// Of which epoch this node is.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
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

    /// A node other than this one, and the next after `last` if it is known: each has its turn.
    pub(crate) fn any_other(&self, last: Option<u64>) -> Option<u64> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others: Vec<u64> = book.keys().copied().filter(|id| *id != self.node.0).collect();
        others.sort_unstable();
        let next = others.iter().find(|id| last.is_none_or(|last| **id > last));
        next.or(others.first()).copied()
    }

    /// The connection to a peer. A new address of the peer replaces its connections.
    pub(crate) fn to(&self, target: u64, address: &str, purpose: Purpose) -> Link {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let whom = || Whom::Member(self.tls.clone(), NodeId(target), self.complaints.clone());
        let fresh = || Link::new(address, whom(), self.wires.clone());
        let link = links.entry((target, purpose)).or_insert_with(fresh);
        if link.address != address {
            *link = fresh();
        }
        link.clone()
    }

    /// Whether the host of a member says that nobody listens there; `None` if it says nothing.
    pub(crate) async fn is_refused_by(&self, target: u64) -> Option<bool> {
        let address = self.address_of(target)?;
        match tokio::time::timeout(dial::CONNECT_LIMIT, self.wires.connect(&address)).await {
            Ok(Ok(_)) => Some(false),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Some(true),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Who means whom, for a message to `target`.
    pub(crate) fn route(&self, target: u64) -> Route {
        let cluster = bytes::Bytes::copy_from_slice(self.cluster.0.as_bytes());
        Route {
            cluster,
            source: self.node.0,
            target,
            epoch: self.epoch,
        }
    }

    /// Refuses a message that is not meant for this node of this cluster, or says that it is of somebody else than has
    /// called. Answers who that is.
    pub(crate) fn check(&self, route: Option<&Route>, caller: Option<Caller>) -> Result<NodeId, Status> {
        let Some(route) = route else {
            return Err(Status::invalid_argument("the message does not say whom it means"));
        };
        if *route.cluster != *self.cluster.0.as_bytes() {
            return Err(Status::failed_precondition(format!(
                "node {} of another cluster called: this is cluster {}",
                route.source, self.cluster
            )));
        }
        match epoch::judge(self.epoch, route.epoch) {
            Verdict::Same => {}
            Verdict::CallerIsLost => return Err(epoch::lost(NodeId(route.source), route.epoch, self.epoch)),
            // A member has said it, whose certificate was checked.
            Verdict::ThisIsLost if caller == Some(Caller(NodeId(route.source))) => {
                self.note_epoch(route.epoch);
                return Err(epoch::refused_by_lost(self.node, self.epoch, route.epoch));
            }
            Verdict::ThisIsLost => return Err(epoch::refused_by_lost(self.node, self.epoch, route.epoch)),
        }
        if route.target != self.node.0 {
            return Err(Status::failed_precondition(format!(
                "node {} looks for node {}, but this is node {}",
                route.source, route.target, self.node
            )));
        }
        match caller {
            Some(Caller(id)) if id.0 == route.source => Ok(id),
            Some(Caller(id)) => Err(Status::permission_denied(format!(
                "node {id} calls itself node {}",
                route.source
            ))),
            None => Err(Status::unauthenticated("the caller has shown no certificate")),
        }
    }

    /// Notes what a refusal says of this node.
    pub(crate) fn heed(&self, status: &Status) {
        match epoch::of(status) {
            Some(epoch) if epoch > self.epoch => self.note_epoch(epoch),
            _ if status.metadata().contains_key(REMOVED) => self.removed.cancel(),
            _ => {}
        }
    }

    /// The cluster was founded anew without this node.
    fn note_epoch(&self, epoch: u64) {
        self.newest.fetch_max(epoch, Ordering::SeqCst);
        self.removed.cancel();
    }

    /// What a node ends with that is no longer a member.
    pub(crate) fn farewell(&self) -> String {
        match self.newest.load(Ordering::SeqCst) {
            newest if newest > self.epoch => epoch::farewell(self.epoch, newest),
            _ => LEFT.to_owned(),
        }
    }

    /// This node has seen by itself that it was removed.
    pub(crate) fn set_removed(&self) {
        self.removed.cancel();
    }

    /// Whether this node is known not to be a member any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.is_cancelled()
    }

    /// Resolves once a member has said that this node was removed.
    pub(crate) async fn removed(&self) {
        self.removed.cancelled().await;
    }
}

/// The refusal of a node that is no member of this epoch any more.
pub(crate) fn removed(node: NodeId, epoch: u64) -> Status {
    let mut status = Status::permission_denied(format!(
        "node {node} was removed from the cluster: to take part again it has to join anew, with an empty data folder"
    ));
    status
        .metadata_mut()
        .insert(REMOVED, tonic::metadata::MetadataValue::from(node.0));
    epoch::mark(status, epoch)
}

/// Whether a call failed before anything was sent, so that it cannot have had an effect.
pub(crate) fn never_sent(status: &Status) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the other end is not who it should be, which trying again does not change.
pub(crate) fn is_quarrel(status: &Status) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(dial::is_quarrel) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What to tell of a failed call: each cause once, because the layers in between repeat what is below them.
pub(crate) fn describe(status: &Status) -> String {
    let mut parts = vec![status.message().to_owned()];
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) && text != "transport error" {
            parts.push(text);
        }
        cause = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn messages_for_others_and_under_false_names_are_refused() {
        let links = |cluster, node| {
            let cluster = ClusterId(Uuid::from_u128(cluster));
            Links::new(cluster, NodeId(node), Arc::new(Tls::new(cluster)))
        };
        let here = links(7, 2);
        let one = Some(Caller(NodeId(1)));
        assert_eq!(here.check(Some(&links(7, 1).route(2)), one).ok(), Some(NodeId(1)));
        for (route, caller, expected) in [
            (links(8, 1).route(2), one, "another cluster"),
            (links(7, 1).route(3), one, "looks for node 3"),
            (links(7, 4).route(2), one, "node 1 calls itself node 4"),
            (links(7, 1).route(2), None, "no certificate"),
        ] {
            let refused = here.check(Some(&route), caller).map_err(|it| it.message().to_owned());
            assert!(refused.as_ref().is_err_and(|it| it.contains(expected)), "{refused:?}");
        }
        assert!(here.check(None, one).is_err());
    }

    #[test]
    fn a_removed_node_understands_its_refusal() {
        let cluster = ClusterId(Uuid::from_u128(7));
        let links = Links::new(cluster, NodeId(3), Arc::new(Tls::new(cluster)));
        links.heed(&Status::permission_denied("something else"));
        assert!(!links.is_removed());
        links.heed(&removed(NodeId(3), 0));
        assert!(links.is_removed());
        assert_eq!(links.farewell(), LEFT);
    }

    #[test]
    fn nodes_of_two_epochs_refuse_each_other_and_the_lost_one_learns_it() {
        let cluster = ClusterId(Uuid::from_u128(7));
        let links = |node, epoch| Links::new(cluster, NodeId(node), Arc::new(Tls::new(cluster))).in_epoch(epoch);
        let (new, old) = (links(2, 1), links(3, 0));
        let caller = |node| Some(Caller(NodeId(node)));

        let refused = new.check(Some(&old.route(2)), caller(3)).expect_err("of a lost epoch");
        assert!(refused.message().contains("join anew"), "{refused:?}");
        assert!(!new.removed.is_cancelled());
        old.heed(&refused);
        assert!(old.removed.is_cancelled());
        assert!(old.farewell().contains("epoch 1"), "{}", old.farewell());

        let old = links(3, 0);
        assert!(old.check(Some(&new.route(3)), None).is_err());
        assert!(!old.removed.is_cancelled(), "a stranger has said it");
        let refused = old.check(Some(&new.route(3)), caller(2)).expect_err("this one is lost");
        assert!(old.removed.is_cancelled());
        new.heed(&refused);
        assert!(!new.removed.is_cancelled());
        // A node that was removed while the others were founded anew.
        let old = links(3, 0);
        old.heed(&removed(NodeId(3), 1));
        assert!(old.farewell().contains("epoch 1"), "{}", old.farewell());
    }
}
