//! Clients that do small things over and over, each on one node after the other, and write down what they saw.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chaos::history::{Event, Op, Outcome};
use chaos::workload::register_text;
use model::{
    AccountId, Actor, Command, ConfigDraft, DomainDraft, OperationId, ProjectId, ProjectPatch, Resource, State,
    Submission,
};
use raft::{Cluster, SubmitError};
use rand::Rng as _;
use uuid::Uuid;

use crate::bug::Bug;
use crate::host::SimHost;
use crate::net::{Host, Micros, Net};

/// How long one attempt may take.
const LIMIT: Duration = Duration::from_secs(3);
/// After which a client stops waiting for a node that does not even say that time is up.
const PATIENCE: Micros = 4_000_000;
/// For how long a client tries again what it does not know the outcome of.
const RETRIES: Micros = 8_000_000;
/// All creators want the same name for so long.
const CONTENDED: Micros = 120_000;
/// What counted things are called.
const COUNTED: &str = "counted";
/// How long a lease lasts that [`Bug::ReadByLease`] trusts.
const LEASE: Duration = Duration::from_millis(150);

/// What all clients know.
#[derive(Clone)]
pub struct Ground {
    pub account: AccountId,
    pub registers: Vec<ProjectId>,
    pub bug: Bug,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Registers,
    Creator,
    Counter,
}

/// One client.
pub struct SimClient {
    number: u32,
    role: Role,
    ground: Ground,
    /// Whether it asks again under the same id until it knows.
    insists: bool,
    next: Micros,
    pending: Option<Pending>,
    last_write: Option<u32>,
    pub events: Vec<Event>,
}

struct Pending {
    op: Op,
    operation: OperationId,
    began: Micros,
    host: Host,
    boot: u32,
    sent: Micros,
    /// An earlier attempt may have taken effect, or may yet.
    is_uncertain: bool,
    /// `None` between two attempts.
    answer: Option<Answer>,
}

type Answer = Arc<Mutex<Option<Outcome>>>;

impl SimClient {
    pub fn new(number: u32, role: Role, ground: &Ground, insists: bool) -> Self {
        Self {
            number,
            role,
            ground: ground.clone(),
            insists,
            next: 0,
            pending: None,
            last_write: None,
            events: Vec::new(),
        }
    }

    pub fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Looks whether there is an answer, and asks the next thing, unless it is to `stop`.
    pub fn tick(&mut self, net: &Net, hosts: &[SimHost], values: &mut u64, stop: bool) {
        let now = net.now();
        if let Some(pending) = self.pending.as_mut().filter(|it| it.answer.is_some()) {
            let Some(outcome) = pending.outcome(net, now) else {
                return;
            };
            pending.answer = None;
            let unknown = matches!(outcome, Outcome::Unknown { .. });
            // Not to have reached a leader this time says nothing of the time before.
            let says_nothing = pending.is_uncertain && is_unavailable(&outcome);
            pending.is_uncertain |= unknown;
            let again = self.insists && pending.is_change() && now < pending.began + RETRIES;
            if (unknown || says_nothing) && again {
                self.next = now + 50_000;
            } else if says_nothing {
                self.finish(net, now, unresolved());
            } else {
                self.finish(net, now, outcome);
            }
        }
        if now < self.next {
            return;
        }
        if self.pending.is_none() {
            if stop {
                return;
            }
            let op = self.choose(net, now, values);
            let operation = net.random(|it| OperationId(Uuid::from_u128(it.random())));
            self.pending = Some(Pending::new(op, operation, now));
        }
        self.ask(net, hosts, now);
    }

    fn finish(&mut self, net: &Net, now: Micros, outcome: Outcome) {
        let Some(pending) = self.pending.take() else { return };
        let short = match &outcome {
            Outcome::Ok { value, .. } => format!("ok {value:?}"),
            Outcome::Fail { .. } => "refused".to_owned(),
            Outcome::Unknown { .. } => "unknown".to_owned(),
        };
        net.note(format_args!(
            "client {} on {}: {:?} {short}",
            self.number, pending.host, pending.op
        ));
        let goes_on = matches!((&pending.op, &outcome), (Op::Write { .. }, Outcome::Ok { .. }));
        self.last_write = match pending.op {
            Op::Write { register, .. } if goes_on => Some(register),
            _ => None,
        };
        let pause = if goes_on {
            0
        } else {
            net.random(|it| it.random_range(0..60_000))
        };
        self.next = now + pause;
        self.events.push(Event {
            client: self.number,
            host: pending.host,
            op: pending.op,
            invoked: pending.began,
            ended: now,
            outcome,
        });
    }

    fn choose(&mut self, net: &Net, now: Micros, values: &mut u64) -> Op {
        let half = net.random(|it| it.random_bool(0.5));
        match self.role {
            Role::Registers => {
                let count = u32::try_from(self.ground.registers.len()).unwrap_or(1);
                // What was acknowledged must be seen at once, on any node.
                let register = self.last_write.take();
                if let Some(register) = register {
                    return Op::Read { register };
                }
                let register = net.random(|it| it.random_range(0..count));
                if half {
                    return Op::Read { register };
                }
                *values += 1;
                Op::Write {
                    register,
                    value: *values,
                }
            }
            Role::Creator => Op::Create {
                name: format!("c{}.created.example.test", now / CONTENDED),
            },
            Role::Counter if half => Op::Increment,
            Role::Counter => Op::Count,
        }
    }

    /// Asks a random node that can be asked.
    fn ask(&mut self, net: &Net, hosts: &[SimHost], now: Micros) {
        let Some(pending) = &mut self.pending else { return };
        let at = net.random(|it| it.random_range(0..hosts.len()));
        let host = &hosts[at];
        let Some(node) = host.node() else {
            // A connection refused.
            self.next = now + 20_000;
            if !pending.is_uncertain {
                self.pending = None;
            } else if now > pending.began + RETRIES {
                self.finish(net, now, unresolved());
            }
            return;
        };
        let answer = Answer::default();
        (pending.host, pending.sent) = (host.host, now);
        pending.boot = net.plug_of(host.host).boot;
        pending.answer = Some(answer.clone());
        let (ground, op, operation) = (self.ground.clone(), pending.op.clone(), pending.operation);
        host.spawn(async move {
            let outcome = perform(&node, &ground, &op, operation).await;
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        });
    }
}

fn unresolved() -> Outcome {
    Outcome::Unknown {
        why: "an earlier attempt is unknown".to_owned(),
    }
}

fn is_unavailable(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Fail { why } if why.starts_with(UNAVAILABLE))
}

const UNAVAILABLE: &str = "unavailable";

impl Pending {
    fn new(op: Op, operation: OperationId, began: Micros) -> Self {
        Self {
            op,
            operation,
            began,
            host: 0,
            boot: 0,
            sent: 0,
            is_uncertain: false,
            answer: None,
        }
    }

    fn is_change(&self) -> bool {
        matches!(self.op, Op::Write { .. } | Op::Create { .. } | Op::Increment)
    }

    /// What came of the last attempt; `None` while that is open.
    fn outcome(&self, net: &Net, now: Micros) -> Option<Outcome> {
        let answer = self.answer.as_ref()?;
        if let Some(outcome) = answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Some(outcome);
        }
        let plug = net.plug_of(self.host);
        let unknown = |why: &str| Some(Outcome::Unknown { why: why.to_owned() });
        if !plug.runs || plug.boot != self.boot {
            return unknown("the node died");
        }
        if now > self.sent + PATIENCE {
            return unknown("no answer");
        }
        None
    }
}

async fn perform(node: &Cluster, ground: &Ground, op: &Op, operation: OperationId) -> Outcome {
    match op {
        Op::Read { register } => {
            let register = ground.registers[*register as usize];
            let value = |state: &State| state.project(register)?.name.rsplit_once(": ")?.1.parse().ok();
            read(node, ground.bug, value).await
        }
        Op::Count => read(node, ground.bug, |state| Some(counted(state))).await,
        Op::Write { register, value } => {
            let patch = ProjectPatch {
                name: Some(register_text(*register, *value)),
            };
            let command = Command::UpdateProject(ground.registers[*register as usize], patch);
            submit(node, ground, operation, command).await
        }
        Op::Create { name } => {
            let draft = DomainDraft {
                hostname: name.clone(),
                project: None,
            };
            submit(node, ground, operation, Command::CreateDomain(draft)).await
        }
        Op::Increment => {
            let draft = ConfigDraft {
                name: COUNTED.to_owned(),
                project: None,
            };
            submit(node, ground, operation, Command::CreateConfig(draft)).await
        }
    }
}

/// How many counted things there are.
pub fn counted(state: &State) -> u64 {
    state.configs().filter(|it| it.name == COUNTED).count() as u64
}

async fn read(node: &Cluster, bug: Bug, value: impl Fn(&State) -> Option<u64>) -> Outcome {
    let by_lease = bug == Bug::ReadByLease && node.is_leader() && node.staleness().is_some_and(|it| it < LEASE);
    let state = if by_lease { Ok(node.local()) } else { node.read().await };
    match state {
        Ok(state) => Outcome::Ok {
            value: value(&state),
            id: None,
        },
        Err(error) => Outcome::Fail {
            why: format!("{UNAVAILABLE}: {error}"),
        },
    }
}

async fn submit(node: &Cluster, ground: &Ground, operation: OperationId, command: Command) -> Outcome {
    let submission = Submission::new(operation, Actor::Account(ground.account), command);
    match node.submit_as(submission, LIMIT).await {
        Ok(submitted) => Outcome::Ok {
            value: None,
            id: match submitted.outcome {
                model::Outcome::Resource(Resource::Domain(domain)) => Some(domain.id.to_string()),
                _ => None,
            },
        },
        Err(SubmitError::Rejected(why)) => Outcome::Fail {
            why: format!("{why:?}"),
        },
        Err(SubmitError::Unavailable(why)) => Outcome::Fail {
            why: format!("{UNAVAILABLE}: {why}"),
        },
        Err(SubmitError::OutcomeUnknown { .. }) => Outcome::Unknown {
            why: "outcome unknown".to_owned(),
        },
    }
}
