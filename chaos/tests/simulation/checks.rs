//! What must hold at every moment of a run.

use std::collections::BTreeMap;

use model::State;
use ring::digest::{Context, SHA256};

use crate::host::SimHost;
use crate::net::Host;

/// Looks at all nodes again and again.
#[derive(Default)]
pub struct Watchman {
    leaders: BTreeMap<u64, Host>,
    states: BTreeMap<u64, (Vec<u8>, Host)>,
    /// The newest entry that each process has applied.
    applied: BTreeMap<(Host, u32), u64>,
    /// How many changes of leader there were.
    pub elections: u64,
    /// What was wrong.
    pub violations: Vec<String>,
}

impl Watchman {
    /// No two nodes lead in one term.
    pub fn look_at_leaders(&mut self, hosts: &[SimHost]) {
        for host in hosts {
            let Some(node) = host.node() else { continue };
            let seen = *node.leadership().borrow();
            if !seen.is_self {
                continue;
            }
            match self.leaders.insert(seen.term, host.host) {
                None => self.elections += 1,
                Some(other) if other != host.host => self.say(format!(
                    "nodes {other} and {} both led in term {}",
                    host.host, seen.term
                )),
                Some(_) => {}
            }
        }
    }

    /// Where two nodes have applied the same entries, their states are the same; and no process goes back.
    pub fn look_at_states(&mut self, hosts: &[SimHost], boot: impl Fn(Host) -> u32) {
        for host in hosts {
            let Some(node) = host.node() else { continue };
            let state = node.local();
            let revision = state.revision().0;
            let before = self.applied.insert((host.host, boot(host.host)), revision);
            if before.is_some_and(|it| it > revision) {
                self.say(format!(
                    "node {} went from entry {before:?} back to {revision}",
                    host.host
                ));
            }
            let hash = hash(&state);
            let known = self.states.entry(revision).or_insert_with(|| (hash.clone(), host.host));
            if known.0 != hash {
                let other = known.1;
                self.say(format!(
                    "after entry {revision} the states of nodes {other} and {} differ",
                    host.host
                ));
            }
        }
        // What is long past is compared no more.
        while self.states.len() > 2_000 {
            self.states.pop_first();
        }
    }

    pub fn say(&mut self, what: String) {
        if self.violations.len() < 20 && !self.violations.contains(&what) {
            self.violations.push(what);
        }
    }
}

/// SHA-256 over the whole state.
pub fn hash(state: &State) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    digest.update(&state.now().0.to_be_bytes());
    for resource in state.resources() {
        digest.update(&storage::encode(&resource).expect("resources can be written"));
    }
    digest.finish().as_ref().to_vec()
}
