//! What clients did and saw, with times: the evidence that the checks judge.

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Host};

pub mod counter;
pub mod creates;
pub mod linear;

/// Microseconds since the run began.
pub type Micros = u64;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Op {
    /// The value of a register.
    Read {
        /// Which register.
        register: u32,
    },
    /// A new value of a register, never written before.
    Write {
        /// Which register.
        register: u32,
        /// What.
        value: u64,
    },
    /// An object with a name that others may want too.
    Create {
        /// The name.
        name: String,
    },
    /// One more object of the kind that is counted.
    Increment,
    /// How many there are.
    Count,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// Acknowledged; a read or a count tells its value.
    Ok {
        /// Of a read or a count.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<u64>,
        /// The id of what was created.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Refused: it has not happened and never will.
    Fail {
        /// The answer.
        why: String,
    },
    /// It may have happened, or happen yet.
    Unknown {
        /// The answer, or what became of the connection.
        why: String,
    },
}

/// One operation of one client, from just before it was sent to just after it was answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Which client.
    pub client: u32,
    /// Which node it asked.
    pub host: Host,
    /// What it asked for.
    #[serde(flatten)]
    pub op: Op,
    /// When it was sent.
    pub invoked: Micros,
    /// When it was answered, or given up.
    pub ended: Micros,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A fault that was brought about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaultSpan {
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
    /// When it began.
    pub began: Micros,
    /// When it was healed.
    pub healed: Micros,
}

/// Who led, as somebody was told at that time; `None`: nobody knew one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Led {
    /// When.
    pub at: Micros,
    /// The leader.
    pub leader: Option<Host>,
    /// The term.
    pub term: u64,
}

/// Everything that a run saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct History {
    /// What clients did, in no order.
    pub events: Vec<Event>,
    /// What was done to the cluster.
    pub faults: Vec<FaultSpan>,
    /// The leader whenever it changed.
    pub leaders: Vec<Led>,
    /// The initial value of all registers.
    pub initial: u64,
    /// How many of the counted kind there were before.
    pub counted_before: u64,
    /// At the end, on each node: the names there, and how many of the counted kind.
    pub ends: Vec<End>,
}

/// What one node shows when all is calm again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// The node's host.
    pub host: Host,
    /// Name and id of everything created that exists.
    pub names: Vec<(String, String)>,
    /// How many of the counted kind.
    pub counted: u64,
}

/// Something that must not be, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What was broken: `linearizability`, `unique creates`, `counter`.
    pub check: &'static str,
    /// What was seen, with clients and times.
    pub what: String,
}

/// Judges all of a history.
pub fn violations(history: &History) -> Vec<Violation> {
    let mut found = linear::registers(history);
    found.extend(creates::check(history));
    found.extend(counter::check(history));
    found
}
