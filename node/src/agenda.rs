//! Which services are to be planned, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::{Change, Key, Node, Resource, ServiceId, State};
use raft::Batch;

/// Everything is planned anew this often, whatever was heard.
const RESYNC: Duration = Duration::from_secs(30);

/// What is due, from what was heard and from what was planned.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    changed: BTreeSet<ServiceId>,
    all: bool,
    everything_at: Option<Instant>,
    later: BTreeMap<ServiceId, Instant>,
    has_new_room: bool,
}

impl Agenda {
    /// Plan every service next.
    pub(crate) fn everything(&mut self) {
        self.all = true;
    }

    /// Takes note of what has changed.
    pub(crate) fn note(&mut self, batch: &Batch) {
        for change in batch.changes.iter() {
            match change {
                Change::Put(Resource::Service(it)) => drop(self.changed.insert(it.id)),
                Change::Put(Resource::Replica(it)) => drop(self.changed.insert(it.service)),
                // A stopped replica frees room, a node brings or takes some: whoever waits for room looks again.
                Change::Delete(Key::Replica(id)) => {
                    self.changed.extend(self.later.keys());
                    self.changed.extend(batch.before.replica(*id).map(|it| it.service));
                }
                Change::Put(Resource::Node(it)) => {
                    self.changed.extend(self.later.keys());
                    self.changed.extend(batch.after.replicas_on(it.id).map(|it| it.service));
                    self.has_new_room |= gained(batch.before.node(it.id), it);
                }
                Change::Put(_) | Change::Delete(_) => {}
            }
        }
    }

    /// Whether a node has room since that it had not, or nobody has looked for long: replicas may have to move.
    pub(crate) fn take_new_room(&mut self) -> bool {
        std::mem::take(&mut self.has_new_room)
    }

    /// The services to plan now.
    pub(crate) fn due(&mut self, state: &State, at: Instant) -> Vec<ServiceId> {
        if self.all || self.everything_at.is_none_or(|it| it <= at) {
            self.all = false;
            self.everything_at = Some(at + RESYNC);
            self.changed.clear();
            self.has_new_room = true;
            return state.services().map(|it| it.id).collect();
        }
        let mut due = std::mem::take(&mut self.changed);
        due.extend(self.later.iter().filter(|(_, when)| **when <= at).map(|(id, _)| *id));
        due.into_iter().collect()
    }

    /// A service was planned; it is looked at again after this long, if at all.
    pub(crate) fn settle(&mut self, id: ServiceId, look_again: Option<Instant>) {
        match look_again {
            Some(when) => drop(self.later.insert(id, when)),
            None => drop(self.later.remove(&id)),
        }
    }
}

/// Whether a node takes replicas that it did not take before.
fn gained(before: Option<&Node>, after: &Node) -> bool {
    let open = |it: &Node| it.is_up() && it.runs_agent && it.schedulable && !it.draining;
    let larger = |it: &Node| {
        after.capacity.cpu > it.capacity.cpu
            || after.capacity.memory > it.capacity.memory
            || after.capacity.replicas > it.capacity.replicas
    };
    open(after) && before.is_none_or(|it| !open(it) || larger(it))
}

#[cfg(test)]
mod tests;
