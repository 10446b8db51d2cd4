//! The passphrase: set on one node, on all of them when it is answered, as far as they can be reached; the others follow
//! the state.

use api::KeyringFault;
use model::{AccountId, Actor, Command};
use storage::Import;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Keyrings;
use super::fault::{of_keyring, of_submit};
use super::peers::Peers;

type Passphrase = Zeroizing<String>;

impl Keyrings {
    /// Puts all keyrings under a passphrase, and has all nodes forget their keys if that is to be `now`. Without a
    /// passphrase, does only the latter.
    pub(super) async fn set_lock(
        &self,
        by: AccountId,
        passphrase: Option<Passphrase>,
        now: bool,
    ) -> Result<(), KeyringFault> {
        let _asked = self.asked.lock().await;
        if let Some(passphrase) = passphrase {
            let lock = self.blocking(move |it| it.lock_with(&passphrase)).await;
            let lock = lock.map_err(|it| of_keyring(&it))?;
            self.hand_out(Import::Add).await;
            self.record(by, Some(lock)).await?;
            tracing::info!("the keyring is under a new passphrase");
        }
        if now {
            if self.keyring.status().lock.is_none() {
                return Err(KeyringFault::NoPassphrase);
            }
            for (node, done) in self
                .peers
                .each(|peers, node| async move { peers.forget(node).await })
                .await
            {
                if let Err(error) = done {
                    tracing::warn!(%node, %error, "a node was not locked");
                }
            }
            self.keyring.seal_now().map_err(|it| of_keyring(&it))?;
            tracing::warn!("the keyring is locked, as it was told");
        }
        Ok(())
    }

    /// Opens this node's keyring, and those of the others that wait for the same passphrase.
    pub(super) async fn open_lock(&self, passphrase: Passphrase) -> Result<(), KeyringFault> {
        let unlocked = self.blocking(move |it| it.unlock(&passphrase)).await;
        unlocked.map_err(|it| of_keyring(&it))?;
        tracing::info!("the keyring is unlocked");
        self.nudge.notify_one();
        let open = |peers: Peers, node| {
            let keyring = self.keyring.clone();
            async move {
                if peers.show(node).await?.locked {
                    peers.offer(node, &keyring, Import::Unlock).await?;
                }
                Ok(())
            }
        };
        for (node, done) in self.peers.each(open).await {
            if let Err(error) = done {
                tracing::warn!(%node, %error, "a node was not unlocked from this one");
            }
        }
        self.followed.send_modify(|it| *it += 1);
        Ok(())
    }

    /// Takes the passphrase away, everywhere.
    pub(super) async fn drop_lock(&self, by: AccountId, passphrase: Passphrase) -> Result<(), KeyringFault> {
        let _asked = self.asked.lock().await;
        let removed = self.blocking(move |it| it.remove_lock(&passphrase)).await;
        removed.map_err(|it| of_keyring(&it))?;
        // Those that wait for the passphrase as well: it was given.
        self.hand_out(Import::Unlock).await;
        self.record(by, None).await?;
        tracing::warn!("the passphrase was taken away; the keyring lies open on the disks");
        Ok(())
    }

    /// Hands this node's keyring to all others; who is not reached follows the state later.
    async fn hand_out(&self, how: Import) {
        let offer = |peers: Peers, node| {
            let keyring = self.keyring.clone();
            async move { peers.offer(node, &keyring, how).await }
        };
        for (node, done) in self.peers.each(offer).await {
            if let Err(error) = done {
                tracing::warn!(%node, %error, "a node has not got the keyring with its new lock yet");
            }
        }
    }

    async fn record(&self, by: AccountId, lock: Option<Uuid>) -> Result<(), KeyringFault> {
        let command = Command::SetKeyringLock(lock);
        let done = self.cluster.submit(Actor::Account(by), command).await;
        done.map(drop).map_err(of_submit)
    }
}
