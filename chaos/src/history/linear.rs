//! Whether what clients saw of a register can be explained by every operation happening at one instant between its call
//! and its answer.
//!
//! The search is Wing and Gong's with Lowe's memory of configurations, for a register whose written values are all
//! different. Two things keep it short: a read that fits the present value is taken at once, since it closes no other
//! way; and a write of unknown outcome that nobody ever read is left out, since a history with it can be explained
//! exactly if it can be without.

use std::collections::{BTreeSet, HashSet};

use super::{Event, History, Micros, Op, Outcome, Violation};

/// Configurations after which the search gives up rather than fill the memory.
const MOST: usize = 5_000_000;

/// An operation on one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was sent.
    pub invoked: Micros,
    /// When it was acknowledged; `None`: never, so that it may happen at any later time or not at all.
    pub ended: Option<Micros>,
    /// What it did.
    pub action: Action,
}

/// What a [`Step`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Saw this value.
    Read(u64),
    /// Set this value, which no other step sets.
    Write(u64),
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains everything.
    Linearizable,
    /// There is none: the index of a step that no order could place, and the values possible at that point.
    Not {
        /// Into the steps given.
        stuck: usize,
        /// What the register could hold there.
        possible: Vec<u64>,
    },
    /// Too many orders to try.
    Undecided,
}

/// What has been placed, and what the register then holds.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration {
    /// All acknowledged steps before this one are placed.
    base: usize,
    /// Placed ones after it, ascending.
    ahead: Vec<usize>,
    /// Unacknowledged ones that were placed, ascending.
    taken: Vec<usize>,
    value: u64,
}

impl Configuration {
    fn place(&mut self, index: usize, count: usize) {
        let at = self.ahead.partition_point(|placed| *placed < index);
        self.ahead.insert(at, index);
        let run = self
            .ahead
            .iter()
            .enumerate()
            .take_while(|(n, placed)| **placed == self.base + n)
            .count();
        self.ahead.drain(..run);
        self.base = (self.base + run).min(count);
    }

    fn take(&mut self, index: usize) {
        let at = self.taken.partition_point(|taken| *taken < index);
        self.taken.insert(at, index);
    }
}

/// Judges the steps of one register that held `initial` before.
pub fn judge(steps: &[Step], initial: u64) -> Verdict {
    let read: HashSet<u64> = steps
        .iter()
        .filter_map(|step| match step.action {
            Action::Read(value) => Some(value),
            Action::Write(_) => None,
        })
        .collect();
    let mut sure: Vec<(usize, Micros, Micros, Action)> = Vec::new();
    let mut maybe: Vec<(Micros, u64)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match (step.ended, step.action) {
            (Some(ended), action) => sure.push((index, step.invoked, ended, action)),
            (None, Action::Write(value)) if read.contains(&value) => maybe.push((step.invoked, value)),
            (None, _) => {}
        }
    }
    sure.sort_by_key(|(_, invoked, ..)| *invoked);

    let start = Configuration {
        base: 0,
        ahead: Vec::new(),
        taken: Vec::new(),
        value: initial,
    };
    let mut seen = HashSet::new();
    let mut open = vec![start];
    let (mut furthest, mut stuck, mut possible) = (0, 0, BTreeSet::new());
    while let Some(mut at) = open.pop() {
        let mut within;
        let mut first_end;
        loop {
            (within, first_end) = candidates(&sure, &at);
            let fits = within
                .iter()
                .find(|index| sure[**index].3 == Action::Read(at.value))
                .copied();
            match fits {
                Some(index) => at.place(index, sure.len()),
                None => break,
            }
        }
        let Some((limit, blocking)) = first_end else {
            return Verdict::Linearizable;
        };
        let placed = at.base + at.ahead.len();
        if placed > furthest {
            (furthest, stuck) = (placed, blocking);
            possible.clear();
        }
        if placed == furthest {
            possible.insert(at.value);
        }
        if seen.len() >= MOST {
            return Verdict::Undecided;
        }
        if !seen.insert(at.clone()) {
            continue;
        }
        for (index, (invoked, value)) in maybe.iter().enumerate() {
            if *invoked <= limit && at.taken.binary_search(&index).is_err() {
                let mut next = at.clone();
                next.take(index);
                next.value = *value;
                open.push(next);
            }
        }
        for index in within {
            if let Action::Write(value) = sure[index].3 {
                let mut next = at.clone();
                next.place(index, sure.len());
                next.value = value;
                open.push(next);
            }
        }
    }
    Verdict::Not {
        stuck: sure.get(stuck).map_or(0, |step| step.0),
        possible: possible.into_iter().collect(),
    }
}

/// The unplaced steps that may come next: those sent before the first end among the unplaced; and that end, with whose.
fn candidates(sure: &[(usize, Micros, Micros, Action)], at: &Configuration) -> (Vec<usize>, Option<(Micros, usize)>) {
    let mut first_end: Option<(Micros, usize)> = None;
    let mut within = Vec::new();
    for (index, (_, invoked, ended, _)) in sure.iter().enumerate().skip(at.base) {
        if first_end.is_some_and(|(limit, _)| *invoked > limit) {
            break;
        }
        if at.ahead.binary_search(&index).is_ok() {
            continue;
        }
        within.push(index);
        if first_end.is_none_or(|(limit, _)| *ended < limit) {
            first_end = Some((*ended, index));
        }
    }
    if let Some((limit, _)) = first_end {
        within.retain(|index| sure[*index].1 <= limit);
    }
    (within, first_end)
}

/// Judges every register of a history.
pub fn registers(history: &History) -> Vec<Violation> {
    let names: BTreeSet<u32> = history.events.iter().filter_map(|event| register(&event.op)).collect();
    let mut found = Vec::new();
    for name in names {
        let events: Vec<(&Event, Step)> = history
            .events
            .iter()
            .filter(|event| register(&event.op) == Some(name))
            .filter_map(|event| Some((event, step(event)?)))
            .collect();
        let steps: Vec<Step> = events.iter().map(|(_, step)| *step).collect();
        let what = match judge(&steps, history.initial) {
            Verdict::Linearizable => continue,
            Verdict::Undecided => format!("register {name}: not decided, too many operations at once"),
            Verdict::Not { stuck, possible } => {
                let event = events[stuck].0;
                format!(
                    "register {name}: no order of {} operations explains client {} at node {}: {:?} from {} to {} us \
                     gave {:?}, when only {possible:?} was possible",
                    steps.len(),
                    event.client,
                    event.host,
                    event.op,
                    event.invoked,
                    event.ended,
                    event.outcome
                )
            }
        };
        found.push(Violation {
            check: "linearizability",
            what,
        });
    }
    found
}

fn register(op: &Op) -> Option<u32> {
    match op {
        Op::Read { register } | Op::Write { register, .. } => Some(*register),
        _ => None,
    }
}

fn step(event: &Event) -> Option<Step> {
    let (action, ended) = match (&event.op, &event.outcome) {
        (Op::Read { .. }, Outcome::Ok { value: Some(value), .. }) => (Action::Read(*value), Some(event.ended)),
        (Op::Write { value, .. }, Outcome::Ok { .. }) => (Action::Write(*value), Some(event.ended)),
        (Op::Write { value, .. }, Outcome::Unknown { .. }) => (Action::Write(*value), None),
        _ => return None,
    };
    Some(Step {
        invoked: event.invoked,
        ended,
        action,
    })
}

#[cfg(test)]
mod tests;
