//! The leader's part of a rotation: decides for the new key, moves everything to it, and gives the old one up. Driven by
//! the state alone, so whoever leads next goes on where the last one stopped.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::{Actor, Command, KeyVersion, NodeStatus, Sealed, SealedAt, SecretValueId, State};
use raft::{Cluster, authority_context};
use storage::{Keyring, SealError, secret_context};
use tokio::time::sleep;

use super::follow::Wanted;
use super::{Holding, Keyrings};
use crate::adapters::chain;

/// Values moved by one command at most: all nodes apply it in one go, and other writes wait behind it.
const BATCH: usize = 50;
/// How many times as long as a batch took the next one waits, so that other writes have the machine in between.
const REST: u32 = 2;
/// Bytes of ciphertext in one command, about: values may be large.
const BATCH_BYTES: usize = 1024 * 1024;
/// A write that was sealed under the old key may be on its way for this long; longer than a client's command is tried
/// for.
const GRACE: Duration = Duration::from_secs(10);
/// Between looks while something is missing.
const RETRY: Duration = Duration::from_secs(1);
/// Between looks while nothing is to be done.
const RESYNC: Duration = Duration::from_secs(30);

/// What the leader has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No rotation is under way.
    Rest,
    /// See that a majority has the new key, then put the authority's key under it.
    Decide(KeyVersion),
    /// This node does not seal by the new key yet.
    Follow,
    /// Move values to it.
    Move(KeyVersion),
    /// See that every node seals by it, then give the old one up.
    Retire(KeyVersion),
}

/// Where a rotation stands.
pub(super) fn stage(wanted: &Wanted, own_current: KeyVersion, values_left: bool) -> Stage {
    if wanted.decided < wanted.announced {
        Stage::Decide(wanted.announced)
    } else if own_current < wanted.decided {
        Stage::Follow
    } else if values_left {
        Stage::Move(wanted.announced)
    } else if wanted.oldest < wanted.announced {
        Stage::Retire(wanted.announced)
    } else {
        Stage::Rest
    }
}

/// What one leader remembers of a rotation.
#[derive(Debug, Default)]
struct Memory {
    /// Values that do not open. They are left as they are and keep the old key.
    damaged: BTreeSet<SecretValueId>,
    /// Since when every node seals by this key.
    current_since: Option<(KeyVersion, Instant)>,
    said: Option<String>,
}

impl Keyrings {
    /// Carries rotations on for as long as the node runs; acts only while it leads.
    pub(crate) async fn lead(&self) {
        let mut feed = self.cluster.watch();
        let mut memory = Memory::default();
        loop {
            let wait = if self.cluster.is_leader() {
                match self.advance(&mut memory).await {
                    Ok(wait) => {
                        memory.said = None;
                        wait
                    }
                    Err(problem) => {
                        if memory.said.as_ref() != Some(&problem) {
                            tracing::warn!(problem, "the rotation of the cluster key waits");
                        }
                        memory.said = Some(problem);
                        Some(RETRY)
                    }
                }
            } else {
                memory = Memory::default();
                None
            };
            match wait {
                // In the middle of something: changes are not waited for, time is.
                Some(wait) => sleep(wait).await,
                None => tokio::select! {
                    changed = feed.changed() => if changed.is_err() { return },
                    () = sleep(RESYNC) => {}
                },
            }
        }
    }

    /// Does one thing. Answers how long to wait until the next; `None`: until something changes.
    async fn advance(&self, memory: &mut Memory) -> Result<Option<Duration>, String> {
        let state = self.cluster.local();
        let Some(cluster) = state.cluster() else {
            return Ok(None);
        };
        let wanted = Wanted::of(cluster);
        let status = self.keyring.status();
        let left = state.values_sealed_before(wanted.announced).next().is_some();
        let stage = stage(&wanted, status.current, left);
        if stage == Stage::Rest {
            *memory = Memory::default();
            return Ok(None);
        }
        if status.locked {
            return Err("the keyring of the leader is locked: unlock it".to_owned());
        }
        match stage {
            Stage::Rest => Ok(None),
            Stage::Follow => Ok(Some(Duration::from_millis(50))),
            Stage::Decide(version) => self.decide(version, cluster).await,
            Stage::Move(version) => self.move_some(version, &state, memory).await,
            Stage::Retire(version) => self.retire(version, &state, memory).await,
        }
    }

    async fn decide(&self, version: KeyVersion, cluster: &model::Cluster) -> Result<Option<Duration>, String> {
        let spread = self.spread(version).await;
        if !spread.is_majority() {
            return Err(format!(
                "key {version} is missing on these voters: {}",
                spread.missing()
            ));
        }
        let context = authority_context(cluster.id);
        let moved = self.keyring.rewrap_to(version, &context, &cluster.authority.key);
        if let Some(moved) = moved.map_err(|it| chain(&it))? {
            submit(&self.cluster, Command::Rewrap(vec![(SealedAt::Authority, moved)])).await?;
            tracing::info!(key = %version, "the cluster has a new key");
        }
        Ok(Some(Duration::ZERO))
    }

    async fn move_some(
        &self,
        version: KeyVersion,
        state: &State,
        memory: &mut Memory,
    ) -> Result<Option<Duration>, String> {
        let began = Instant::now();
        let batch = batch(version, state, &self.keyring, &mut memory.damaged)?;
        if batch.is_empty() {
            let items: Vec<_> = memory.damaged.iter().map(|it| it.item.to_string()).collect();
            return Err(format!(
                "the values of these secret items do not open, so the old key cannot be given up: {}; set or delete them",
                items.join(", ")
            ));
        }
        submit(&self.cluster, Command::Rewrap(batch)).await?;
        Ok(Some(began.elapsed() * REST))
    }

    async fn retire(
        &self,
        version: KeyVersion,
        state: &State,
        memory: &mut Memory,
    ) -> Result<Option<Duration>, String> {
        let shown = self.peers.show_each().await;
        for (node, shown) in shown {
            let is_up = state.node(node).is_some_and(|it| it.status == NodeStatus::Up);
            match shown {
                Ok(it) if seals_by(&it, version) => {}
                Ok(_) => return Err(format!("node {node} does not use key {version} yet")),
                Err(error) if is_up => return Err(format!("node {node} does not say which key it uses: {error}")),
                // It is refused what it sealed under the old key when it comes back.
                Err(_) => {}
            }
        }
        let since = match memory.current_since {
            Some((of, since)) if of == version => since,
            _ => memory.current_since.insert((version, Instant::now())).1,
        };
        let left = GRACE.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Ok(Some(left.min(RETRY)));
        }
        submit(&self.cluster, Command::RetireKeys(version)).await?;
        tracing::info!(key = %version, "the rotation is done: everything is under the new key, the old one is given up");
        Ok(None)
    }
}

/// Whether a node seals nothing under an older key: a locked one seals nothing at all.
fn seals_by(it: &Holding, version: KeyVersion) -> bool {
    it.locked || it.current >= version
}

/// The next values that go under the key, as they are then.
fn batch(
    version: KeyVersion,
    state: &State,
    keyring: &Keyring,
    damaged: &mut BTreeSet<SecretValueId>,
) -> Result<Vec<(SealedAt, Sealed)>, String> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    for value in state.values_sealed_before(version) {
        if damaged.contains(&value.id) {
            continue;
        }
        if batch.len() == BATCH || bytes >= BATCH_BYTES {
            break;
        }
        let context = secret_context(value.id.item.0, &value.key, value.id.version);
        match keyring.rewrap_to(version, &context, &value.sealed) {
            Ok(Some(moved)) => {
                bytes += moved.value.len();
                batch.push((SealedAt::Value(value.id), moved));
            }
            Ok(None) => {}
            Err(error @ (SealError::DoesNotOpen | SealError::TooLong)) => {
                tracing::error!(item = %value.id.item, version = value.id.version, %error, "a value cannot be moved");
                damaged.insert(value.id);
            }
            Err(error) => return Err(chain(&error)),
        }
    }
    Ok(batch)
}

async fn submit(cluster: &Cluster, command: Command) -> Result<(), String> {
    let done = cluster.submit(Actor::System, command).await;
    done.map(drop).map_err(|it| chain(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(announced: u32, decided: u32, oldest: u32) -> Wanted {
        Wanted {
            announced: KeyVersion(announced),
            decided: KeyVersion(decided),
            oldest: KeyVersion(oldest),
            lock: None,
        }
    }

    /// Every leader goes on from the state, whatever the last one had done when it stopped.
    #[test]
    fn a_rotation_goes_through_its_stages_in_order() {
        let (one, two) = (KeyVersion(1), KeyVersion(2));
        for (wanted, own, left, expected) in [
            (wanted(1, 1, 1), one, false, Stage::Rest),
            (wanted(2, 1, 1), one, true, Stage::Decide(two)),
            (wanted(2, 2, 1), one, true, Stage::Follow),
            (wanted(2, 2, 1), two, true, Stage::Move(two)),
            (wanted(2, 2, 1), two, false, Stage::Retire(two)),
            (wanted(2, 2, 2), two, false, Stage::Rest),
        ] {
            assert_eq!(stage(&wanted, own, left), expected, "{wanted:?} {own} {left}");
        }
    }

    #[test]
    fn a_node_that_still_seals_by_the_old_key_keeps_it_from_being_given_up() {
        let of = |current: u32, locked| Holding {
            current: KeyVersion(current),
            locked,
            ..Holding::default()
        };
        let two = KeyVersion(2);
        assert!(!seals_by(&of(1, false), two));
        assert!(seals_by(&of(2, false), two));
        assert!(seals_by(&of(1, true), two));
    }
}
