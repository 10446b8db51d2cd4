//! What lists and looks at single containers say, put in order: the newest counts, and none against a step that came after it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use model::{Reason, ReplicaId};
use planner::{Cause, ContainerState, Failure, Health, Instance, Moment};

use super::Table;
use crate::runtime::{Listed, Task};

/// A container that ran this long has proved that it can; its earlier failures are forgotten.
const PROVED: Duration = Duration::from_secs(60);

/// Everything of ours on this host, at one moment.
#[derive(Clone, Debug, Default)]
pub(in crate::reconcile) struct Listing {
    /// The table's stamp before anything was looked at.
    pub as_of: u64,
    pub containers: Vec<Listed>,
    /// Why those that have ended did.
    pub ends: BTreeMap<ReplicaId, Reason>,
    /// Those that hold a network namespace.
    pub networked: BTreeSet<ReplicaId>,
}

/// One container of ours, or that there is none, at one moment.
#[derive(Clone, Debug)]
pub(in crate::reconcile) struct Sight {
    /// The table's stamp before it was looked at.
    pub as_of: u64,
    pub replica: ReplicaId,
    pub container: Option<Listed>,
    /// Why it ended, if it did.
    pub end: Option<Reason>,
}

/// What the planner need not know.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Note {
    /// When a step last changed what there is, by the table's own clock: an older list says nothing of it.
    pub(super) changed: u64,
    /// Such a step is under way.
    pub(super) changing: bool,
    /// When it was looked at last.
    seen: u64,
}

impl Note {
    /// Whether a look of that moment tells something of it. If a step has changed it since, it has to be looked at again.
    fn takes(&mut self, as_of: u64) -> Takes {
        if self.changing || self.changed > as_of {
            return Takes::Later;
        }
        if self.seen > as_of {
            return Takes::Nothing;
        }
        self.seen = as_of;
        Takes::Now
    }
}

enum Takes {
    Now,
    Later,
    Nothing,
}

impl Table {
    /// Something has happened to a container that nobody has looked at since.
    pub(in crate::reconcile) fn suspect(&mut self, replica: ReplicaId) {
        self.suspects.insert(replica);
    }

    /// Those that are to be looked at now, each with the stamp for it. Who is being changed comes when that is done.
    pub(in crate::reconcile) fn take_suspects(&mut self) -> Vec<(ReplicaId, u64)> {
        if !self.complete || self.suspects.is_empty() {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.suspects).into_iter();
        let is_changing = |it: &ReplicaId| self.notes.get(it).is_some_and(|note| note.changing);
        let (later, now): (BTreeSet<_>, BTreeSet<_>) = all.partition(is_changing);
        self.suspects = later;
        now.into_iter().map(|it| (it, self.stamp())).collect()
    }

    /// Takes over what was seen of one container, unless a step changed it meanwhile.
    pub(in crate::reconcile) fn saw(&mut self, sight: &Sight, now: Moment) {
        let replica = sight.replica;
        let is_known = self.observed.instances.contains_key(&replica);
        if sight.container.is_none() && !is_known {
            return;
        }
        match self.notes.entry(replica).or_default().takes(sight.as_of) {
            Takes::Later => self.suspect(replica),
            Takes::Nothing => {}
            Takes::Now => {
                let it = self.observed.instances.entry(replica).or_default();
                match &sight.container {
                    Some(found) => see(it, found, sight.end.as_ref(), now),
                    None => it.container = ContainerState::Absent,
                }
            }
        }
    }

    /// Takes over what was seen, except where a step changed it meanwhile: that is looked at by itself.
    pub(in crate::reconcile) fn merge(&mut self, listing: Listing, now: Moment) {
        let mut containers: BTreeMap<_, _> = listing.containers.iter().map(|it| (it.replica, it)).collect();
        let known = self.observed.instances.keys().copied();
        let all: BTreeSet<_> = known
            .chain(containers.keys().copied())
            .chain(listing.networked.iter().copied())
            .collect();
        for replica in all {
            match self.notes.entry(replica).or_default().takes(listing.as_of) {
                Takes::Later => {
                    self.suspects.insert(replica);
                    continue;
                }
                Takes::Nothing => continue,
                Takes::Now => {}
            }
            let it = self.observed.instances.entry(replica).or_default();
            it.networked = listing.networked.contains(&replica);
            match containers.remove(&replica) {
                Some(found) => see(it, found, listing.ends.get(&replica), now),
                None => it.container = ContainerState::Absent,
            }
        }
        self.complete = true;
    }
}

/// Takes over what was seen of one container.
fn see(it: &mut Instance, found: &Listed, end: Option<&Reason>, now: Moment) {
    let before = it.container;
    it.restarts = found.restarts;
    (it.stop_grace, it.drain) = (found.stop_grace, found.drain);
    it.address = found.address.map(IpAddr::V4);
    match found.task {
        Task::None => it.container = ContainerState::Created,
        Task::Running => {
            it.container = ContainerState::Running;
            if before != ContainerState::Running {
                it.health = Health::Unknown;
                it.running_since.get_or_insert(now);
            }
        }
        Task::Exited { code } => {
            it.container = ContainerState::Exited;
            let ended = (before != ContainerState::Exited)
                .then(|| ended(it, code, end))
                .flatten();
            if let Some((reason, cause)) = ended {
                let proved = it.running_since.is_some_and(|since| since.after(PROVED) <= now);
                it.failures = if proved { 1 } else { it.failures.saturating_add(1) };
                it.failure = Some(Failure { reason, at: now, cause });
                it.running_since = None;
            }
        }
    }
}

/// Why it ended, if that is to its discredit: it did so by itself, or it was unfit and so told to.
fn ended(it: &Instance, code: u32, end: Option<&Reason>) -> Option<(Reason, Cause)> {
    // Drained first of all; it may have ended before it is known here that it was told to.
    let was_told = it.drained || it.terminated_at.is_some() || it.killed_at.is_some();
    match &it.health {
        Health::Failed(reason) if was_told => Some((reason.clone(), Cause::Unfit)),
        _ if was_told => None,
        _ => Some((end?.clone(), Cause::Ended { cleanly: code == 0 })),
    }
}

/// The address that a container was found with.
pub(in crate::reconcile) fn addresses(listing: &Listing) -> impl Iterator<Item = (ReplicaId, Ipv4Addr)> + '_ {
    listing
        .containers
        .iter()
        .filter_map(|it| Some((it.replica, it.address?)))
}
