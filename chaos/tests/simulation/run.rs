//! One run: a cluster is founded, clients work while faults come and go, everything is healed, and all is judged.

use std::fmt;

use chaos::history::{self, End, History};
use chaos::workload::register_text;
use model::{AccountId, Actor, Command, ProjectDraft, ProjectId, Resource, Timestamp};
use raft::Start;
use rand::Rng as _;
use ring::digest::{SHA256, digest};

use crate::border;
use crate::bug::Bug;
use crate::checks::{Watchman, hash};
use crate::clients::{Ground, Role, SimClient, counted};
use crate::faults::{self, Fault};
use crate::host::{SimHost, TICK};
use crate::net::{Micros, Net};
use crate::stream::address;

/// How long a cluster may take to be founded and joined, and to be one again after everything was healed.
const PATIENCE: Micros = 60_000_000;
const REGISTERS: u32 = 3;
/// The states are compared once in so many pieces of time: what differs once differs for ever.
const STATES: u64 = 1_000;
const SECRET: &str = "gobj_secret_";

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    pub violations: Vec<String>,
    /// Of everything that happened.
    pub trace: u64,
    pub notes: u64,
    pub operations: usize,
    pub acknowledged: usize,
    pub faults: u32,
    pub elections: u64,
    /// How long it took in the simulation.
    pub took: Micros,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "trace={:016x} notes={} operations={} acknowledged={} faults={} elections={} seconds={} violations={}",
            self.trace,
            self.notes,
            self.operations,
            self.acknowledged,
            self.faults,
            self.elections,
            self.took / 1_000_000,
            self.violations.len()
        )
    }
}

/// Runs one seed, on this thread.
pub fn run(seed: u64, bug: Bug) -> Report {
    border::enter(seed, SimHost::usual_clocks(0));
    let net = Net::new(seed);
    let mut world = World::new(net, bug);
    if let Some(ground) = world.found() {
        world.work(&ground);
    }
    world.report()
}

pub(crate) struct World {
    pub(crate) net: Net,
    bug: Bug,
    pub(crate) hosts: Vec<SimHost>,
    watchman: Watchman,
    history: History,
    faults: u32,
    values: u64,
}

impl World {
    pub(crate) fn new(net: Net, bug: Bug) -> Self {
        let count = net.random(|it| it.random_range(3..=5));
        let hosts = (1..=count).map(|host| SimHost::new(host, &net, bug)).collect();
        Self {
            net,
            bug,
            hosts,
            watchman: Watchman::default(),
            history: History::default(),
            faults: 0,
            values: 1,
        }
    }

    /// One piece of time for everything.
    fn tick(&mut self) {
        let now = self.net.now() + TICK;
        self.net.advance(now);
        for host in &mut self.hosts {
            host.tick();
        }
        self.watchman.look_at_leaders(&self.hosts);
        if (now / TICK).is_multiple_of(STATES) {
            self.look_at_states();
        }
    }

    fn look_at_states(&mut self) {
        let net = &self.net;
        self.watchman.look_at_states(&self.hosts, |host| net.plug_of(host).boot);
    }

    /// Lets time pass until something is true; false if it never is.
    pub(crate) fn until(&mut self, what: &str, mut is_true: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.net.now() + PATIENCE;
        while !is_true(self) {
            if self.net.now() > end {
                self.watchman.say(format!("never came: {what}"));
                return false;
            }
            for host in &self.hosts {
                if let Some(failure) = host.failure() {
                    self.watchman
                        .say(format!("node {} does not start: {failure}", host.host));
                    return false;
                }
            }
            self.tick();
        }
        true
    }

    /// Proposes something on the first node until it is done.
    fn settle(&mut self, command: &Command) -> Option<model::Outcome> {
        let actor = self.account().map_or(Actor::System, Actor::Account);
        for _ in 0..20 {
            let done = std::sync::Arc::new(std::sync::Mutex::new(None));
            let (slot, node, command) = (done.clone(), self.hosts[0].node()?, command.clone());
            self.hosts[0].spawn(async move {
                let submitted = node.submit(actor, command).await;
                if let Ok(mut slot) = slot.lock() {
                    *slot = Some(submitted);
                }
            });
            let answered = self.until("an answer", |_| done.lock().is_ok_and(|it| it.is_some()));
            let answer = done.lock().ok().and_then(|mut it| it.take());
            match answer {
                Some(Ok(submitted)) if answered => return Some(submitted.outcome),
                _ => {}
            }
        }
        None
    }

    fn account(&self) -> Option<AccountId> {
        Some(self.hosts[0].node()?.local().accounts().next()?.id)
    }

    /// A cluster of all hosts, with registers.
    pub(crate) fn found(&mut self) -> Option<Ground> {
        self.tick();
        self.hosts[0].start(Start::New {
            admin: "root".to_owned(),
            key_hash: [1; 32],
        });
        if !self.until("a cluster", |it| it.hosts[0].node().is_some()) {
            return None;
        }
        let certificate = self.hosts[0].node()?.local().cluster()?.authority.certificate.clone();
        let token = format!("{SECRET}{}", hex::encode(digest(&SHA256, &certificate)));
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let expires_at = Timestamp(u64::MAX);
        self.settle(&Command::CreateJoinToken { hash, expires_at })?;
        for at in 1..self.hosts.len() {
            self.hosts[at].start(Start::Join {
                addr: address(1).to_string(),
                token: token.clone(),
            });
            if !self.until("a node that joins", |it| it.hosts[at].node().is_some()) {
                return None;
            }
        }
        let wanted = if self.hosts.len() == 5 { 5 } else { 3 };
        let voters = |it: &mut Self| it.hosts[0].node().is_some_and(|it| it.status().voters.len() == wanted);
        if !self.until("voters", voters) {
            return None;
        }
        let mut registers = Vec::new();
        for register in 0..REGISTERS {
            registers.push(self.register(register)?);
        }
        Some(Ground {
            account: self.account()?,
            registers,
            bug: self.bug,
        })
    }

    fn register(&mut self, register: u32) -> Option<ProjectId> {
        let name = register_text(register, self.history.initial);
        let made = self.settle(&Command::CreateProject(ProjectDraft { name }))?;
        let model::Outcome::Resource(made) = made else {
            return None;
        };
        let Resource::Project(project) = made else { return None };
        Some(project.id)
    }

    fn work(&mut self, ground: &Ground) {
        let mut clients: Vec<SimClient> = Vec::new();
        for (role, count) in [(Role::Registers, 4), (Role::Creator, 2), (Role::Counter, 2)] {
            for number in 0..count {
                let at = u32::try_from(clients.len()).unwrap_or(0);
                clients.push(SimClient::new(at, role, ground, number % 2 == 0));
            }
        }
        let length = self.net.random(|it| it.random_range(8_000_000..16_000_000));
        let end = self.net.now() + length;
        let mut standing: Vec<(Micros, Fault)> = Vec::new();
        let mut next = self.net.now() + 500_000;
        while self.net.now() < end {
            let now = self.net.now();
            let (over, left): (Vec<_>, Vec<_>) = standing.into_iter().partition(|(until, _)| *until <= now);
            standing = left;
            for (_, fault) in over {
                faults::heal(&self.net, &mut self.hosts, fault);
            }
            if now >= next && standing.len() < 2 {
                let fault = faults::strike(&self.net, &mut self.hosts);
                standing.push((now + faults::length(&self.net), fault));
                self.faults += 1;
                next = now + self.net.random(|it| it.random_range(100_000..2_000_000));
            }
            self.step(&mut clients, false);
        }
        for (_, fault) in standing {
            faults::heal(&self.net, &mut self.hosts, fault);
        }
        self.net.heal();
        self.calm(&mut clients);
        self.history.events = clients.into_iter().flat_map(|it| it.events).collect();
    }

    fn step(&mut self, clients: &mut [SimClient], stop: bool) {
        self.tick();
        for client in clients {
            client.tick(&self.net, &self.hosts, &mut self.values, stop);
        }
        for host in &self.hosts {
            if let Some(failure) = host.failure() {
                self.watchman
                    .say(format!("node {} does not start: {failure}", host.host));
            }
        }
    }

    /// Everything was healed: all nodes become one cluster again, with one state.
    fn calm(&mut self, clients: &mut [SimClient]) {
        let end = self.net.now() + PATIENCE;
        loop {
            self.step(clients, true);
            let now = self.net.now();
            let is_quiet = clients.iter().all(SimClient::is_idle);
            if is_quiet && (now / TICK).is_multiple_of(50) && self.is_one() {
                break;
            }
            if now > end {
                let how: Vec<String> = self.hosts.iter().map(describe).collect();
                self.watchman
                    .say(format!("not one cluster again after {PATIENCE} us: {}", how.join("; ")));
                break;
            }
        }
        self.look_at_states();
        for host in &self.hosts {
            let Some(node) = host.node() else { continue };
            let state = node.local();
            self.history.ends.push(End {
                host: host.host,
                names: state
                    .domains()
                    .map(|it| (it.hostname.clone(), it.id.to_string()))
                    .collect(),
                counted: counted(&state),
            });
        }
    }

    pub(crate) fn is_one(&self) -> bool {
        let nodes: Vec<_> = self.hosts.iter().filter_map(SimHost::node).collect();
        let Some(first) = nodes.first() else { return false };
        let seen = *first.leadership().borrow();
        nodes.len() == self.hosts.len()
            && seen.leader.is_some()
            && nodes.iter().all(|it| it.leadership().borrow().leader == seen.leader)
            && nodes.iter().all(|it| it.local().revision() == first.local().revision())
            && nodes.iter().all(|it| hash(&it.local()) == hash(&first.local()))
    }

    fn report(mut self) -> Report {
        let found = history::violations(&self.history);
        for violation in found {
            self.watchman.say(format!("{}: {}", violation.check, violation.what));
        }
        let (trace, notes) = self.net.trace();
        let acknowledged = |it: &&history::Event| matches!(it.outcome, history::Outcome::Ok { .. });
        Report {
            trace,
            notes,
            operations: self.history.events.len(),
            acknowledged: self.history.events.iter().filter(acknowledged).count(),
            faults: self.faults,
            elections: self.watchman.elections,
            took: self.net.now(),
            violations: self.watchman.violations,
        }
    }
}

fn describe(host: &SimHost) -> String {
    let Some(node) = host.node() else {
        return format!("node {} does not run", host.host);
    };
    let status = node.status();
    format!(
        "node {} is {:?} in term {} of {:?}, applied {:?}",
        host.host, status.role, status.term, status.leader, status.applied_index
    )
}
