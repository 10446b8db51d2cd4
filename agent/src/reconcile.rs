//! The loop that drives this host: look, ask [`planner::converge`], do, look again.

mod carry;
mod credentials;
mod table;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{Assignment, Intent, Phase, ReplicaId};
use planner::{ContainerState, Health, Instance, Limits, Moment, Plan, Step, converge};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::outbox::Outbox;
use crate::ports::Wanted;
use crate::probe::{Asked, Before, Probe, Turn};
use crate::reason;
use crate::runtime::{RuntimeError, RuntimeEvent};
pub(crate) use carry::Carrier;
use carry::Outcome;
use table::{Listing, Sight, Table};

/// Everything is looked at again this often, whatever was heard meanwhile.
const RESYNC: Duration = Duration::from_secs(5);
/// How soon after a failure that is not a replica's own its step is tried again.
const HOLD: Duration = Duration::from_secs(1);
/// A moment without containerd is nothing to tell; a longer one keeps replicas from starting, and is.
const LONG_AWAY: Duration = Duration::from_secs(10);
/// How long steps under way may take to end when the agent stops.
const FAREWELL: Duration = Duration::from_secs(3);
const BACKLOG: usize = 1024;

/// What the loop consists of.
pub(crate) struct Reconciler {
    wanted: watch::Receiver<Wanted>,
    carrier: Arc<Carrier>,
    limits: Limits,
    outbox: Outbox,
    clear: CancellationToken,
    stop: CancellationToken,
    table: Table,
    started: Instant,
    steps: JoinSet<Outcome>,
    under_way: HashMap<Id, Step>,
    listings: JoinSet<Result<Listing, RuntimeError>>,
    look_at: Instant,
    sights: JoinSet<Result<Sight, RuntimeError>>,
    probes: HashMap<ReplicaId, Probe>,
    turns: (mpsc::Sender<Turn>, mpsc::Receiver<Turn>),
    /// Since when containerd does not answer.
    away_since: Option<Moment>,
    /// Everything is on its way out.
    clearing: bool,
}

impl Reconciler {
    pub(crate) fn new(
        wanted: watch::Receiver<Wanted>,
        carrier: Carrier,
        limits: Limits,
        outbox: Outbox,
        (clear, stop): (CancellationToken, CancellationToken),
    ) -> Self {
        let now = Instant::now();
        Self {
            wanted,
            carrier: Arc::new(carrier),
            limits,
            outbox,
            clear,
            stop,
            table: Table::default(),
            started: now,
            steps: JoinSet::new(),
            under_way: HashMap::new(),
            listings: JoinSet::new(),
            look_at: now,
            sights: JoinSet::new(),
            probes: HashMap::new(),
            turns: mpsc::channel(BACKLOG),
            away_since: None,
            clearing: false,
        }
    }

    /// Runs until it is told to stop, when containers go on without it, or to clear the host, until that is done.
    pub(crate) async fn run(mut self) {
        let mut events = self.carrier.runtime.events();
        let mut wake_at = None;
        while !self.is_cleared() {
            self.look_when_due();
            self.look_at_suspects();
            let look_at = if self.listings.is_empty() {
                Some(self.look_at)
            } else {
                None
            };
            let alarm = [look_at, wake_at].into_iter().flatten().min();
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.clear.cancelled(), if !self.clearing => self.begin_to_clear(),
                changed = self.wanted.changed(), if !self.clearing => if changed.is_err() { break },
                event = events.recv() => match event {
                    // Only a hint: a late event may be about a container that is gone. Where hosts run many containers, not
                    // all of them are asked because one has ended.
                    Some(RuntimeEvent::Exited { replica, .. }) => self.table.suspect(replica),
                    Some(RuntimeEvent::Missed) => self.look_at = Instant::now(),
                    None => break,
                },
                Some(ended) = self.steps.join_next_with_id() => self.ended(ended),
                Some(listing) = self.listings.join_next() => self.looked(listing),
                Some(sight) = self.sights.join_next() => self.saw(sight),
                Some(turn) = self.turns.1.recv() => {
                    tracing::debug!(?turn, "health");
                    self.table.turned(turn);
                }
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {}
            }
            if self.table.is_complete() {
                wake_at = self.step();
            }
        }
        self.farewell().await;
    }

    fn now(&self) -> Moment {
        Moment(self.started.elapsed())
    }

    fn look_when_due(&mut self) {
        if self.look_at <= Instant::now() && self.listings.is_empty() {
            let (carrier, as_of) = (Arc::clone(&self.carrier), self.table.stamp());
            self.listings.spawn(async move { carrier.look(as_of).await });
            self.look_at = Instant::now() + RESYNC;
        }
    }

    fn looked(&mut self, listing: Result<Result<Listing, RuntimeError>, JoinError>) {
        match listing {
            Ok(Ok(listing)) => {
                if self.away_since.take().is_some() {
                    tracing::info!("containerd answers again");
                }
                for (replica, address) in table::addresses(&listing) {
                    self.carrier.network.keep(replica, address);
                }
                let now = self.now();
                self.table.merge(listing, now);
            }
            // Containers live on without containerd, so nothing is said of them.
            Ok(Err(error)) => {
                if self.away_since.is_none() {
                    let error = reason::chain(&error);
                    tracing::warn!(%error, "this host's containers cannot be looked at; what runs goes on");
                    self.away_since = Some(self.now());
                }
                self.look_at = self.look_at.min(Instant::now() + HOLD);
            }
            Err(error) => tracing::error!(%error, "looking at this host's containers broke off; it is done again"),
        }
    }

    fn look_at_suspects(&mut self) {
        for (replica, as_of) in self.table.take_suspects() {
            let carrier = Arc::clone(&self.carrier);
            self.sights.spawn(async move { carrier.look_at(replica, as_of).await });
        }
    }

    fn saw(&mut self, sight: Result<Result<Sight, RuntimeError>, JoinError>) {
        match sight {
            Ok(Ok(sight)) => {
                let now = self.now();
                self.table.saw(&sight, now);
            }
            // Whoever looks at all tells what is wrong, and sees this one too.
            Ok(Err(_)) => self.look_at = self.look_at.min(Instant::now() + HOLD),
            Err(error) => tracing::error!(%error, "looking at a container broke off; all are looked at soon"),
        }
    }

    /// Nothing is wanted here from now on, and nobody is there any more for whom connections were kept open.
    fn begin_to_clear(&mut self) {
        self.clearing = true;
        self.limits.drain_tunnels = self.limits.drain;
        self.look_at = Instant::now();
    }

    fn is_cleared(&self) -> bool {
        self.clearing && self.table.is_complete() && self.table.observed().instances.is_empty()
    }

    fn step(&mut self) -> Option<Instant> {
        let wanted = if self.clearing {
            Wanted {
                view: Arc::default(),
                may_start: true,
            }
        } else {
            self.wanted.borrow_and_update().clone()
        };
        self.table.forget_except(&wanted.view);
        self.table.heed_credentials(&wanted.view);
        let now = self.now();
        let Plan {
            steps,
            reports,
            wake_at,
        } = converge(&wanted.view, self.table.observed(), wanted.may_start, now, &self.limits);
        let assignments = &wanted.view.assignments;
        self.outbox.set(reports, |id| {
            let at = assignments.binary_search_by_key(&id, |it| it.replica.id).ok()?;
            Some(assignments[at].replica.phase)
        });
        for step in steps {
            tracing::debug!(?step, "begins");
            self.table.begin(&step);
            let work = Arc::clone(&self.carrier).carry(step.clone(), &wanted.view);
            let id = self.steps.spawn(work).id();
            self.under_way.insert(id, step);
        }
        self.watch_health(&wanted);
        wake_at.map(|at| self.started + at.0)
    }

    /// Every running container that is wanted is asked how it does, and no other.
    fn watch_health(&mut self, wanted: &Wanted) {
        let instances = &self.table.observed().instances;
        let mut watched = HashMap::with_capacity(self.probes.len());
        for assignment in wanted
            .view
            .assignments
            .iter()
            .filter(|it| it.replica.intent == Intent::Run)
        {
            let id = assignment.replica.id;
            let running = instances.get(&id).filter(|it| it.container == ContainerState::Running);
            let Some(it) = running else { continue };
            let known = self.probes.remove(&id).filter(|probe| probe.restarts == it.restarts);
            let probe = known.or_else(|| probe(assignment, it, &self.carrier, &self.turns.0));
            watched.extend(probe.map(|probe| (id, probe)));
        }
        self.probes = watched;
    }

    fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a step broke off; it is tried again");
                (error.id(), Outcome::Held("it broke off".to_owned()))
            }
        };
        let Some(step) = self.under_way.remove(&id) else { return };
        tracing::debug!(?step, ?outcome, "ended");
        let now = self.now();
        let outcome = match outcome {
            Outcome::Away(reason) if self.away_since.get_or_insert(now).after(LONG_AWAY) <= now => {
                Outcome::Failed(reason)
            }
            other => other,
        };
        self.table.end(&step, outcome, now, now.after(HOLD));
    }

    /// Lets steps end that are nearly done, so that less is found half made at the next start.
    async fn farewell(mut self) {
        let end = Instant::now() + FAREWELL;
        let patient = |step: &Step| {
            matches!(
                step,
                Step::Drain { .. } | Step::LookUp { .. } | Step::Pull { .. } | Step::Prefetch { .. }
            )
        };
        while self.under_way.values().any(|step| !patient(step)) {
            tokio::select! {
                Some(ended) = self.steps.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, _)| id);
                    self.under_way.remove(&id);
                }
                () = sleep_until(end) => break,
            }
        }
    }
}

/// Who asks a running container how it does; nobody where its service wants none of that.
fn probe(assignment: &Assignment, it: &Instance, carrier: &Carrier, turns: &mpsc::Sender<Turn>) -> Option<Probe> {
    let replica = &assignment.replica;
    let port = assignment.deployment.as_ref()?.spec.port;
    let check = assignment.settings.check(port);
    let target = || Some(SocketAddr::new(it.address?, check.port.or(port)?));
    let asked = match &check.probe {
        model::Probe::None => return None,
        model::Probe::Tcp => Asked::Port(target()?),
        model::Probe::Http { path } => Asked::Path(target()?, path.clone()),
        model::Probe::Command(command) => Asked::Command(replica.id, command.clone(), Arc::clone(&carrier.runtime)),
    };
    let was_fit = it.health == Health::Unknown && replica.phase == Phase::Ready;
    let before = if was_fit { Before::Fit } else { Before::Started };
    Some(Probe::start(
        replica.id,
        it.restarts,
        before,
        check,
        asked,
        turns.clone(),
    ))
}

#[cfg(test)]
mod tests;
