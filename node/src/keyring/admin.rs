//! What the API asks of the keyrings.

use api::{KeyringFault, KeyringHeld, KeyringNode, KeyringView};
use async_trait::async_trait;
use model::AccountId;
use zeroize::Zeroizing;

use super::follow::Wanted;
use super::{Holding, Keyrings};

#[async_trait]
impl api::Keyrings for Keyrings {
    async fn show(&self) -> KeyringView {
        let others = self.peers.show_each().await;
        let state = self.cluster.local();
        let wanted = state.cluster().map(Wanted::of);
        let held = |it: &Holding| KeyringHeld {
            versions: it.keys.keys().copied().collect(),
            current: it.current,
            locked: it.locked,
            autolock: it.lock.is_some(),
            in_step: wanted.is_some_and(|wanted| {
                it.current >= wanted.decided
                    && it.lock == wanted.lock
                    && it.keys.contains_key(&wanted.announced)
                    && it.keys.range(..wanted.oldest).next().is_none()
            }),
        };
        let own = (self.cluster.node_id(), Ok(held(&Holding::of(&self.keyring))));
        let others = others.into_iter().map(|(node, shown)| match shown {
            Ok(shown) => (node, Ok(held(&shown))),
            Err(error) => (node, Err(error.to_string())),
        });
        let mut nodes: Vec<_> = std::iter::once(own)
            .chain(others)
            .map(|(node, held)| KeyringNode { node, held })
            .collect();
        nodes.sort_unstable_by_key(|it| it.node);
        let (current, oldest) = wanted.map(|it| (it.announced, it.oldest)).unwrap_or_default();
        let values_left = state.values_sealed_before(current).count();
        KeyringView {
            current,
            oldest,
            autolock: wanted.is_some_and(|it| it.lock.is_some()),
            is_rotating: oldest < current,
            values_left,
            nodes,
        }
    }

    async fn rotate(&self, by: AccountId) -> Result<(), KeyringFault> {
        self.begin(by).await
    }

    async fn lock(&self, by: AccountId, passphrase: Option<Zeroizing<String>>, now: bool) -> Result<(), KeyringFault> {
        self.set_lock(by, passphrase, now).await
    }

    async fn unlock(&self, passphrase: Zeroizing<String>) -> Result<(), KeyringFault> {
        self.open_lock(passphrase).await
    }

    async fn remove_lock(&self, by: AccountId, passphrase: Zeroizing<String>) -> Result<(), KeyringFault> {
        self.drop_lock(by, passphrase).await
    }
}
