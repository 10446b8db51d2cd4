//! Keeps this node's keyring as the replicated state says. Woken by changes and by time; each look reads everything.

use std::time::Duration;

use model::{KeyVersion, NodeId};
use raft::authority_context;
use storage::{Import, KeyringError};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Holding, Keyrings};
use crate::adapters::chain;

/// The keyring is looked at this often, whatever was heard.
const RESYNC: Duration = Duration::from_secs(10);
/// Between attempts to get what no node has given.
const RETRY: Duration = Duration::from_millis(500);
/// Attempts that fail before it is said.
const PATIENCE: u32 = 5;

/// What the state asks of every keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The newest key. Must be here, and is not used yet if it is not decided.
    pub(super) announced: KeyVersion,
    /// The key that the authority's key is under: new values go under it.
    pub(super) decided: KeyVersion,
    /// What is older is given up.
    pub(super) oldest: KeyVersion,
    /// The passphrase.
    pub(super) lock: Option<Uuid>,
}

impl Wanted {
    pub(super) fn of(cluster: &model::Cluster) -> Self {
        Self {
            announced: cluster.keyring.current,
            decided: cluster.authority.key.key,
            oldest: cluster.keyring.oldest,
            lock: cluster.keyring.lock,
        }
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// Nothing can be done until somebody gives the passphrase.
    Locked,
    /// Get something from another node.
    Fetch(Need),
    /// Seal by this key from now on.
    Use(KeyVersion),
    /// Drop this key.
    Retire(KeyVersion),
}

/// What another node is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A key that is not here.
    Key(KeyVersion),
    /// The key that the cluster has decided for; there is another one here under its version.
    RightKey(KeyVersion),
    /// The passphrase that the cluster has now.
    Lock,
}

/// One step towards what is wanted. `opens` tells whether the key here that has the decided version opens the
/// authority.
pub(super) fn step(own: &Holding, wanted: &Wanted, opens: impl FnOnce() -> bool) -> Step {
    if own.locked {
        return Step::Locked;
    }
    if !own.keys.contains_key(&wanted.decided) {
        return Step::Fetch(Need::Key(wanted.decided));
    }
    if own.current < wanted.decided {
        return match opens() {
            true => Step::Use(wanted.decided),
            false => Step::Fetch(Need::RightKey(wanted.decided)),
        };
    }
    if !own.keys.contains_key(&wanted.announced) {
        return Step::Fetch(Need::Key(wanted.announced));
    }
    if let Some((version, _)) = own.keys.range(..wanted.oldest).next() {
        return Step::Retire(*version);
    }
    match own.lock == wanted.lock {
        true => Step::Nothing,
        false => Step::Fetch(Need::Lock),
    }
}

/// How to take in what another node holds, if that is what is needed.
pub(super) fn take(need: Need, own: &Holding, theirs: &Holding, wanted: &Wanted) -> Option<Import> {
    let covers = || theirs.covers(own, wanted.oldest);
    match need {
        Need::Key(version) => theirs.fingerprint(version).map(|_| Import::Add),
        Need::RightKey(version) => {
            let differs = theirs
                .fingerprint(version)
                .is_some_and(|it| own.fingerprint(version) != Some(it));
            (differs && theirs.current >= version && covers()).then_some(Import::Replace)
        }
        Need::Lock if theirs.locked || theirs.lock != wanted.lock => None,
        Need::Lock if theirs.lock_generation > own.lock_generation => Some(Import::Add),
        // Two passphrases were set at the same time, and theirs was recorded last.
        Need::Lock => (theirs.lock_generation == own.lock_generation && covers()).then_some(Import::Replace),
    }
}

impl Keyrings {
    /// Follows for as long as the node runs.
    pub(crate) async fn follow(&self) {
        let mut feed = self.cluster.watch();
        let mut failed: u32 = 0;
        loop {
            if let Err(problem) = self.catch_up().await {
                failed = failed.saturating_add(1);
                // Once; and not while an operator's change is on its way through the cluster.
                if failed == PATIENCE {
                    tracing::warn!(problem, "this node's keyring is not as the cluster's should be");
                }
                let _ = timeout(RETRY, self.nudge.notified()).await;
                continue;
            }
            failed = 0;
            tokio::select! {
                changed = feed.changed() => if changed.is_err() { return },
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(RESYNC) => {}
            }
        }
    }

    /// Takes step after step until nothing is to be done, or something cannot be.
    async fn catch_up(&self) -> Result<(), String> {
        loop {
            let state = self.cluster.local();
            let Some(cluster) = state.cluster() else {
                return Ok(());
            };
            let (own, wanted) = (Holding::of(&self.keyring), Wanted::of(cluster));
            let context = authority_context(cluster.id);
            let opens = || self.keyring.open(&context, &cluster.authority.key).is_ok();
            let done = match step(&own, &wanted, opens) {
                Step::Nothing | Step::Locked => return Ok(()),
                Step::Fetch(need) => self.fetch(need, &own, &wanted).await?,
                Step::Use(version) => {
                    self.change(move |it| it.set_current(version)).await?;
                    format!("seals by key {version} from now on")
                }
                Step::Retire(version) => {
                    self.change(move |it| it.retire(version)).await?;
                    format!("has given key {version} up")
                }
            };
            tracing::info!("this node {done}");
            self.followed.send_modify(|it| *it += 1);
        }
    }

    /// Gets something from the first node that has it.
    async fn fetch(&self, need: Need, own: &Holding, wanted: &Wanted) -> Result<String, String> {
        let what = match need {
            Need::Key(version) | Need::RightKey(version) => format!("key {version}"),
            Need::Lock => "the current passphrase".to_owned(),
        };
        for node in self.peers.ids() {
            match self.fetch_from(node, need, own, wanted).await {
                Ok(true) => return Ok(format!("got {what} from node {node}")),
                Ok(false) => {}
                Err(error) => tracing::debug!(%node, error, "a node gives no keys"),
            }
        }
        Err(format!("no node that can be reached and is unlocked has {what}"))
    }

    async fn fetch_from(&self, node: NodeId, need: Need, own: &Holding, wanted: &Wanted) -> Result<bool, String> {
        let theirs = self.peers.show(node).await.map_err(|it| it.to_string())?;
        if take(need, own, &theirs, wanted).is_none() {
            return Ok(false);
        }
        let (keys, theirs) = self.peers.fetch(node).await.map_err(|it| it.to_string())?;
        // It may have changed since it was asked.
        let Some(import) = take(need, own, &theirs, wanted) else {
            return Ok(false);
        };
        self.change(move |it| it.import_bundle(&keys, import)).await?;
        Ok(true)
    }

    /// Changes the keyring where blocking is allowed: each change ends on the disk.
    pub(super) async fn change(
        &self,
        change: impl FnOnce(&storage::Keyring) -> Result<(), KeyringError> + Send + 'static,
    ) -> Result<(), String> {
        self.blocking(change).await.map_err(|it| chain(&it))
    }
}

#[cfg(test)]
mod tests;
