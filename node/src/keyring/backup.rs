//! The cluster's keys on their way into a backup.

use std::collections::BTreeSet;

use api::KeyringFault;
use model::KeyVersion;
use zeroize::Zeroizing;

use super::Keyrings;
use super::fault::of_keyring;

impl Keyrings {
    /// The keys of this node as a document under a passphrase. Those that are `needed` must be among them: a key that
    /// was given up since, or has not arrived yet, would make a backup that cannot be read.
    pub(crate) async fn document(
        &self,
        passphrase: Zeroizing<String>,
        needed: BTreeSet<KeyVersion>,
    ) -> Result<Zeroizing<String>, KeyringFault> {
        let made = self.blocking(move |it| {
            let bundle = it.export_bundle()?;
            let held = bundle.versions();
            let missing = needed.into_iter().find(|it| !held.contains(it));
            Ok((bundle.to_document(&passphrase)?, missing))
        });
        match made.await.map_err(|it| of_keyring(&it))? {
            (document, None) => Ok(document),
            (_, Some(key)) => Err(KeyringFault::Missing(format!(
                "Values are sealed by key {key}, which this node does not hold at this moment: ask again."
            ))),
        }
    }
}
