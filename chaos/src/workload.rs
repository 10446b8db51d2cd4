//! Clients that do small things over and over and write down what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::client::{Answer, Client, ClientError};
use crate::fault::Host;
use crate::history::{Event, Micros, Op, Outcome};

/// After which a client gives a request up.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often a create whose outcome is unknown is sent again under its key.
const REPEATS: u32 = 20;
const REPEAT_PAUSE: Duration = Duration::from_millis(200);
/// All creators want the same name for so long.
const CONTENDED: Duration = Duration::from_millis(150);

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads and writes registers: the names of projects made for it.
    Registers,
    /// Makes domains whose names others want too.
    Creator,
    /// Makes projects, and counts them.
    Counter,
}

/// What all clients of a run share.
#[derive(Debug)]
pub struct Shared {
    /// Where time begins.
    pub epoch: Instant,
    /// Set when it is over.
    pub stop: AtomicBool,
    /// The paths of the registers.
    pub registers: Vec<String>,
    /// The next value to write.
    pub next_value: AtomicU64,
    /// Between two operations of a client, at most.
    pub pace: Duration,
}

impl Shared {
    /// Microseconds since the run began.
    pub fn now(&self) -> Micros {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }
}

/// One client.
pub struct Worker {
    /// Its number, over all nodes.
    pub number: u32,
    /// Whom it asks. One of several nodes is asked in turn, and without a pause after a write: what was acknowledged by
    /// one node must be seen on the next at once.
    pub nodes: Vec<(Host, Client)>,
    /// What it does.
    pub role: Role,
    /// What it shares.
    pub shared: Arc<Shared>,
}

impl Worker {
    /// Works until told to stop; what it did and saw.
    pub async fn work(self, seed: u64) -> Vec<Event> {
        let mut random = StdRng::seed_from_u64(seed ^ (u64::from(self.number) << 32));
        let mut events: Vec<Event> = Vec::new();
        for (host, api) in self.nodes.iter().cycle() {
            if self.shared.stop.load(Ordering::Relaxed) {
                break;
            }
            let op = self.choose(&mut random, events.last());
            let invoked = self.shared.now();
            let outcome = self.perform(api, &op).await;
            let goes_on = self.nodes.len() > 1 && matches!((&op, &outcome), (Op::Write { .. }, Outcome::Ok { .. }));
            events.push(Event {
                client: self.number,
                host: *host,
                op,
                invoked,
                ended: self.shared.now(),
                outcome,
            });
            if !goes_on {
                sleep(self.shared.pace.mul_f64(random.random())).await;
            }
        }
        events
    }

    fn choose(&self, random: &mut StdRng, last: Option<&Event>) -> Op {
        match self.role {
            Role::Registers if self.nodes.len() > 1 => match last.map(|last| &last.op) {
                Some(Op::Write { register, .. }) => Op::Read { register: *register },
                _ => self.write(random),
            },
            Role::Registers => {
                if random.random_bool(0.5) {
                    Op::Read {
                        register: self.register(random),
                    }
                } else {
                    self.write(random)
                }
            }
            Role::Creator => {
                let round = self.shared.epoch.elapsed().as_millis() / CONTENDED.as_millis();
                Op::Create {
                    name: format!("c{round}.{CREATED}"),
                }
            }
            Role::Counter if random.random_bool(0.5) => Op::Increment,
            Role::Counter => Op::Count,
        }
    }

    fn write(&self, random: &mut StdRng) -> Op {
        Op::Write {
            register: self.register(random),
            value: self.shared.next_value.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn register(&self, random: &mut StdRng) -> u32 {
        random.random_range(0..u32::try_from(self.shared.registers.len()).unwrap_or(1))
    }

    async fn perform(&self, api: &Client, op: &Op) -> Outcome {
        match op {
            Op::Read { register } => {
                let path = &self.shared.registers[*register as usize];
                self.ask(api, Method::GET, path, &[], None, |body| register_value(&body["name"]))
                    .await
            }
            Op::Write { register, value } => {
                let path = &self.shared.registers[*register as usize];
                let body = json!({"name": register_text(*register, *value)});
                self.ask(api, Method::PATCH, path, &[], Some(&body), |_| None).await
            }
            Op::Create { name } => self.create(api, "/api/domains/", &json!({"hostname": name})).await,
            Op::Increment => {
                let name = format!("counted {} {}", self.number, self.shared.now());
                self.create(api, "/api/projects/", &json!({"name": name})).await
            }
            Op::Count => {
                self.ask(api, Method::GET, "/api/projects/", &[], None, |body| {
                    body["count"].as_u64()
                })
                .await
            }
        }
    }

    /// Under one idempotency key until the outcome is known, or for long enough.
    async fn create(&self, api: &Client, path: &str, body: &Value) -> Outcome {
        let key = format!("chaos-{}-{}", self.number, self.shared.now());
        let headers = [("idempotency-key", key.as_str())];
        let mut outcome = self.ask(api, Method::POST, path, &headers, Some(body), |_| None).await;
        for _ in 0..REPEATS {
            if !matches!(outcome, Outcome::Unknown { .. }) || self.shared.stop.load(Ordering::Relaxed) {
                break;
            }
            sleep(REPEAT_PAUSE).await;
            let again = self.ask(api, Method::POST, path, &headers, Some(body), |_| None).await;
            // A node that could not be reached tells nothing about the first attempt.
            let tells = match &again {
                Outcome::Fail { why } => !why.starts_with("503") && !why.starts_with(NOT_CONNECTED),
                _ => true,
            };
            if tells {
                outcome = again;
            }
        }
        outcome
    }

    async fn ask(
        &self,
        api: &Client,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
        value: impl Fn(&Value) -> Option<u64>,
    ) -> Outcome {
        let created = method == Method::POST;
        let answer = api.send(method, path, headers, body, DEADLINE).await;
        match answer {
            Ok(answer) if answer.status.is_success() => {
                let body = answer.json();
                let id = body["id"].as_str().filter(|_| created).map(str::to_owned);
                let value = value(&body);
                Outcome::Ok { value, id }
            }
            Ok(answer) => refused(&answer),
            Err(ClientError::NoAnswer { source, .. }) if source.is_connect() => Outcome::Fail {
                why: NOT_CONNECTED.to_owned(),
            },
            Err(error) => Outcome::Unknown {
                why: anyhow::Error::from(error).root_cause().to_string(),
            },
        }
    }
}

/// What every created name ends with.
pub const CREATED: &str = "created.example.test";
const NOT_CONNECTED: &str = "not connected";

/// How a register shows a value. No two registers ever show the same, since names are unique.
pub fn register_text(register: u32, value: u64) -> String {
    format!("register {register}: {value}")
}

fn register_value(text: &Value) -> Option<u64> {
    text.as_str()?.rsplit_once(": ")?.1.parse().ok()
}

/// What an answer outside 200 to 299 says about the outcome: the contract has a word for not knowing.
fn refused(answer: &Answer) -> Outcome {
    let why = format!(
        "{} {}",
        answer.status.as_u16(),
        answer.body.chars().take(200).collect::<String>()
    );
    if answer.status.as_u16() == 500 || answer.json()["code"] == "outcome_unknown" {
        Outcome::Unknown { why }
    } else {
        Outcome::Fail { why }
    }
}
