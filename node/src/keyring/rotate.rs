//! Begins a rotation: makes the next key, and sees that a majority has it on its disks before the cluster hears of it.

use std::collections::BTreeMap;

use api::KeyringFault;
use model::{AccountId, Actor, Command, KeyVersion, NodeId};
use storage::{Import, Keyring};

use super::fault::{of_keyring, of_submit};
use super::follow::Wanted;
use super::peers::{PeerError, Peers};
use super::{Holding, Keyrings};

impl Keyrings {
    /// Begins a rotation. The rest is the leader's: see [`Keyrings::lead`].
    pub(super) async fn begin(&self, by: AccountId) -> Result<(), KeyringFault> {
        let _asked = self.asked.lock().await;
        let unavailable = |it: raft::Unavailable| KeyringFault::Submit(api::SubmitError::Unavailable(it.0));
        let state = self.cluster.read().await.map_err(unavailable)?;
        let cluster = state
            .cluster()
            .ok_or_else(|| KeyringFault::Failed("there is no cluster yet".to_owned()))?;
        if self.keyring.is_locked() {
            return Err(KeyringFault::Locked);
        }
        let wanted = Wanted::of(cluster);
        let left = state.values_sealed_before(wanted.announced).count();
        if wanted.decided < wanted.announced || left > 0 || wanted.oldest < wanted.announced {
            return Err(KeyringFault::UnderWay(format!(
                "a rotation to key {} is under way: {left} values are to be moved to it, then every node has to follow",
                wanted.announced
            )));
        }
        let next = KeyVersion(wanted.announced.0 + 1);
        self.make(next).await?;
        let spread = self.spread(next).await;
        if !spread.is_majority() {
            return Err(KeyringFault::Missing(format!(
                "the new key has to be on the disks of a majority of the voters first, and these have not got it: {}; ask \
                 again once they can be reached and are unlocked",
                spread.missing()
            )));
        }
        let done = self.cluster.submit(Actor::Account(by), Command::RotateKey(next)).await;
        done.map_err(of_submit)?;
        tracing::info!(key = %next, "a rotation of the cluster key has begun");
        self.nudge.notify_one();
        Ok(())
    }

    /// Has the key of a rotation here: the one that an earlier attempt has left, on this node or another, or a new one.
    async fn make(&self, next: KeyVersion) -> Result<(), KeyringFault> {
        if self.keyring.status().versions.contains(&next) {
            return Ok(());
        }
        for (node, shown) in self.peers.show_each().await {
            if shown.is_ok_and(|it| it.fingerprint(next).is_some())
                && let Ok((keys, _)) = self.peers.fetch(node).await
            {
                let taken = self.blocking(move |it| it.import_bundle(&keys, Import::Add)).await;
                return taken.map_err(|it| of_keyring(&it));
            }
        }
        let made = self.blocking(move |it| it.add_key(next, &*Keyring::new_key()?)).await;
        made.map_err(|it| of_keyring(&it))
    }

    /// Hands this node's key of that version to all nodes, and answers who has it on its disk then.
    pub(super) async fn spread(&self, version: KeyVersion) -> Spread {
        let own = Holding::of(&self.keyring).fingerprint(version);
        let offer = |peers: Peers, node| {
            let keyring = self.keyring.clone();
            async move {
                let shown = peers.show(node).await?;
                if own.is_some() && shown.fingerprint(version) == own {
                    return Ok(shown);
                }
                match peers.offer(node, &keyring, Import::Add).await {
                    // Left by an attempt that came to nothing; what is in use is not replaced.
                    Err(PeerError::Conflict(_)) => peers.offer(node, &keyring, Import::Replace).await,
                    other => other,
                }
            }
        };
        let mut held = BTreeMap::from([(self.cluster.node_id(), own.ok_or_else(|| "it is locked".to_owned()))]);
        for (node, answer) in self.peers.each(offer).await {
            let answer = match answer {
                Ok(it) => it.fingerprint(version).ok_or_else(|| "it is locked".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            held.insert(node, answer);
        }
        let voters = self.cluster.status().voters.into_iter().map(|it| it.id).collect();
        Spread { own, voters, held }
    }
}

/// Who has a key.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// Of this node's key.
    pub(super) own: Option<[u8; 32]>,
    pub(super) voters: Vec<NodeId>,
    /// The fingerprint of each node's key, or why there is none.
    pub(super) held: BTreeMap<NodeId, Result<[u8; 32], String>>,
}

impl Spread {
    fn has(&self, node: NodeId) -> bool {
        let held = self.held.get(&node).and_then(|it| it.as_ref().ok());
        self.own.is_some() && held == self.own.as_ref()
    }

    /// Whether more than half of the voters have this node's key.
    pub(super) fn is_majority(&self) -> bool {
        let with = self.voters.iter().filter(|it| self.has(**it)).count();
        with * 2 > self.voters.len()
    }

    /// The voters without it, and why.
    pub(super) fn missing(&self) -> String {
        let without = self.voters.iter().filter(|it| !self.has(**it));
        let said = without.map(|node| match self.held.get(node) {
            Some(Err(why)) => format!("node {node} ({why})"),
            Some(Ok(_)) => format!("node {node} (it has another key under this version)"),
            None => format!("node {node} (it is not known here yet)"),
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_of_the_voters_has_the_very_same_key() {
        let (own, other) = ([1; 32], [2; 32]);
        let spread = |held: [Result<[u8; 32], String>; 3]| Spread {
            own: Some(own),
            voters: vec![NodeId(1), NodeId(2), NodeId(3)],
            held: (1..).map(NodeId).zip(held).collect(),
        };
        let silent = || Err("no answer".to_owned());
        assert!(spread([Ok(own), Ok(own), silent()]).is_majority());
        assert!(spread([Ok(own), Ok(own), Ok(own)]).missing().is_empty());
        let split = spread([Ok(own), Ok(other), silent()]);
        assert!(!split.is_majority());
        assert_eq!(
            split.missing(),
            "node 2 (it has another key under this version), node 3 (no answer)"
        );
        let of_four = Spread {
            voters: vec![NodeId(1), NodeId(2), NodeId(3), NodeId(4)],
            ..spread([Ok(own), Ok(own), silent()])
        };
        assert!(!of_four.is_majority(), "half is no majority");
        let locked = Spread {
            own: None,
            ..spread([Err("it is locked".to_owned()), Ok(own), Ok(own)])
        };
        assert!(!locked.is_majority());
    }
}
